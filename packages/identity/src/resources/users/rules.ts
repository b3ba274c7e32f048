import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Violation } from '../../upstream/database/policy.ts'
import { isPasswordless } from '../connections/passwordless.ts'
import type { ConnectionRow } from '../connections/store.ts'
import { comparableEmail, isEmailAddress } from '../email-address.ts'
import { refuseActive } from '../inert.ts'
import { phoneNumber } from '../phone-number.ts'
import { refuseAddress } from '../web-address.ts'
import { present } from '../wire.ts'
import { type CreateUser, inert, type UpdateUser } from './schema.ts'
import type { IdentityShown, UserRow, UserWithConnection } from './store.ts'

export const problems = defineProblems({
  inexistent_user: { status: 404, title: 'The user does not exist.' },
  username_exists: { status: 409, title: 'The username already exists.' },
  user_exists: { status: 409, title: 'The user already exists.' },
  unknown_connection: { status: 400, title: 'The connection does not exist.' },
  // The first words are Auth0's, which clients look for.
  weak_password: { status: 400, title: 'PasswordStrengthError: Password is too weak. {text}' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** Both kinds of metadata together travel in every answer and through every Action. */
const MAXIMUM_METADATA_BYTES = 64 * 1024

type Kind = Pick<ConnectionRow, 'strategy'>
/** What a connection demands of usernames. */
interface Naming {
  options: Pick<ConnectionRow['options'], 'requires_username' | 'validation'>
}

/** What a user has to be made with: where people sign in with codes, only what these are sent to. @throws Problem `invalid_body` */
export function requireWhatSignsIn(asked: CreateUser, { strategy }: Kind): void {
  const needed = isPasswordless(strategy)
    ? ([strategy === 'email' ? 'email' : 'phone_number'] as const)
    : (['email', 'password'] as const)
  const missing = needed.find((member) => asked[member] == null)
  if (missing) throw refuse(`Missing required property: ${missing}`)
}

/** @throws Problem `invalid_body` for what users of such a connection do not have */
export function refuseForeign(asked: CreateUser | UpdateUser, { strategy }: Kind): void {
  if (asked.password !== undefined && isPasswordless(strategy)) {
    throw refuse(`'password' is for users of database connections; this one is of strategy ${strategy}.`)
  }
  const phone = asked.phone_number != null ? 'phone_number' : asked.phone_verified ? 'phone_verified' : undefined
  if (phone && strategy !== 'sms') {
    throw refuse(`'${phone}' is for users of sms connections; this one is of strategy ${strategy}.`)
  }
}

/**
 * A new user, as the connection has them.
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function registered(
  asked: CreateUser,
  connection: Pick<ConnectionRow, 'id' | 'strategy'> & Naming,
  passwordHash: string | null,
  now: Date,
): UserRow {
  refuseCreation(asked, connection)
  const phone_number = asked.phone_number == null ? null : readPhone(asked.phone_number)
  const email = asked.email ?? null
  const name = email ?? phone_number
  return {
    user_id: `${connection.strategy}|${asked.user_id ?? newId.databaseUser()}`,
    connection_id: connection.id,
    email,
    email_verified: asked.email_verified ?? false,
    username: newUsername(asked.username, connection),
    phone_number,
    phone_verified: phone_number === null ? null : (asked.phone_verified ?? false),
    name: asked.name ?? name,
    nickname: asked.nickname ?? name?.split('@')[0] ?? null,
    given_name: asked.given_name ?? null,
    family_name: asked.family_name ?? null,
    picture: asked.picture ?? null,
    user_metadata: merged({}, asked.user_metadata),
    app_metadata: merged({}, asked.app_metadata),
    blocked: asked.blocked ?? false,
    password_hash: passwordHash,
    last_password_reset: null,
    last_login: null,
    last_ip: null,
    logins_count: 0,
    created_at: now,
    updated_at: now,
  }
}

/** What is refused before any work is done on a password. @throws Problem `operation_not_supported`, `invalid_body` */
export function refuseCreation(asked: CreateUser, connection: Kind): void {
  refuseActive(inert, asked)
  refuseForeign(asked, connection)
  refuseTexts(asked)
  merged({}, asked.user_metadata)
  merged({}, asked.app_metadata)
}

/**
 * The user as changed. Whether access must end is for the caller to see: `endsAccess`.
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changed(
  row: UserRow,
  change: UpdateUser,
  connection: Pick<ConnectionRow, 'name' | 'strategy'> & Naming,
  passwordHash: string | undefined,
  now: Date,
): UserRow {
  refuseActive(inert, change)
  refuseForeign(change, connection)
  refuseTexts(change)
  if (change.connection !== undefined && change.connection !== connection.name) {
    throw refuse("'connection' is not the connection of this user.")
  }
  const moved =
    change.email !== undefined && comparableEmail(change.email) !== (row.email && comparableEmail(row.email))
  const phone_number = change.phone_number == null ? row.phone_number : readPhone(change.phone_number)
  const isOtherPhone = phone_number !== row.phone_number
  return {
    ...row,
    email: change.email ?? row.email,
    phone_number,
    phone_verified:
      phone_number === null ? null : (change.phone_verified ?? (isOtherPhone ? false : row.phone_verified)),
    // Another address has proven nothing yet.
    email_verified: change.email_verified ?? (moved ? false : row.email_verified),
    username: change.username == null ? row.username : checkedUsername(change.username, connection),
    name: change.name === undefined ? row.name : change.name,
    nickname: change.nickname === undefined ? row.nickname : change.nickname,
    given_name: change.given_name === undefined ? row.given_name : change.given_name,
    family_name: change.family_name === undefined ? row.family_name : change.family_name,
    picture: change.picture === undefined ? row.picture : change.picture,
    user_metadata: merged(row.user_metadata, change.user_metadata),
    app_metadata: merged(row.app_metadata, change.app_metadata),
    blocked: change.blocked ?? row.blocked,
    ...(passwordHash === undefined ? {} : { password_hash: passwordHash, last_password_reset: now }),
    updated_at: now,
  }
}

/** A new password locks out whoever knew the old one, and a block whoever is inside. */
export const endsAccess = (change: UpdateUser): 'account-deactivated' | 'password-changed' | undefined =>
  change.blocked === true ? 'account-deactivated' : change.password !== undefined ? 'password-changed' : undefined

/** @throws Problem `weak_password` with the sentence for the person who chose it */
export function refuseWeak(violation: Violation | undefined): void {
  if (violation) throw problems.weak_password({ facts: { text: violation.text }, internal: violation.code })
}

/** @throws Problem `invalid_body` where the connection demands a username and none is given */
function newUsername(asked: string | null | undefined, connection: Naming): string | null {
  if (asked != null) return checkedUsername(asked, connection)
  if (connection.options.requires_username) throw refuse('Missing required property: username')
  return null
}

/** How many characters a username has. */
export const usernameLimits = ({ validation }: Pick<Naming['options'], 'validation'>) =>
  validation?.username ?? { min: 1, max: 15 }

const USERNAME = /^[a-z0-9_+\-.!#$'^`~@]+$/

/** @throws Problem `invalid_body` */
function checkedUsername(asked: string, connection: Naming): string {
  if (!connection.options.requires_username) {
    throw refuse('Cannot set username for connection without requires_username')
  }
  const { min, max } = usernameLimits(connection.options)
  const username = asked.toLowerCase()
  if (username.length < min || username.length > max) throw refuse(`'username' has ${min} to ${max} characters.`)
  if (!USERNAME.test(username)) {
    throw refuse("'username' consists of letters, digits and the signs _ + - . ! # $ ' ^ ` ~ @")
  }
  // It would be somebody's address, maybe somebody else's.
  if (isEmailAddress(username)) throw refuse("'username' must not be an e-mail address.")
  return username
}

/** @throws Problem `invalid_body` */
function readPhone(text: string): string {
  const number = phoneNumber(text)
  if (!number) throw refuse("'phone_number' is no number with its country, such as +436601234567.")
  return number
}

function refuseTexts(asked: { email?: string | undefined; picture?: string | null | undefined }): void {
  if (asked.email !== undefined && !isEmailAddress(asked.email)) throw refuse("'email' is not an e-mail address.")
  const wrong = asked.picture ? refuseAddress(asked.picture) : undefined
  if (wrong) throw refuse(`'picture' ${wrong}.`)
}

export function merged(present: Record<string, unknown>, change: Record<string, unknown> | undefined) {
  if (!change) return present
  const next = Object.fromEntries(Object.entries({ ...present, ...change }).filter(([, value]) => value !== null))
  if (Buffer.byteLength(JSON.stringify(next)) > MAXIMUM_METADATA_BYTES) {
    throw refuse(`metadata is larger than ${MAXIMUM_METADATA_BYTES} bytes.`)
  }
  return next
}

/** A user as the API shows it: never the hash. */
export function shown(row: UserWithConnection) {
  const { password_hash: _, connection_id: __, connection: ___, ...rest } = row
  return present(rest)
}

/** The one identity of a user who was just made. */
export function ownIdentity(row: UserRow, connection: string): IdentityShown {
  const { provider, identity_id } = identityOf(row.user_id)
  return { connection, user_id: identity_id, provider, isSocial: false }
}

/** What a user id says of the identity that it was made for. */
export function identityOf(userId: string): { provider: string; identity_id: string } {
  const [provider, ...id] = userId.split('|')
  return { provider: provider!, identity_id: id.join('|') }
}
