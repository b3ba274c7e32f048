/**
 * Signing in without a password: a code is sent to an address or number, and whoever types it has proven that they read
 * what arrives there. One way for pages and the token endpoint.
 *
 * A code is good for one client and one place (a login under way, or the token endpoint), for some minutes and a few tries;
 * tries are also counted with those of passwords. What is sent is limited by recipient, by address and by environment
 * (N106), and nothing tells whether somebody has an account.
 */
import { timingSafeEqual } from 'node:crypto'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { newId, randomDigits } from '@tenantry/kernel/id.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import type { Outbox } from '../../delivery/outbox.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { LogEntry, TenantLog } from '../../logs/tenant-log.ts'
import type { Client, Connection } from '../../oauth/configuration.ts'
import { isPasswordless, type PasswordlessOptions } from '../../resources/connections/passwordless.ts'
import { comparableEmail, isEmailAddress } from '../../resources/email-address.ts'
import { phoneNumber } from '../../resources/phone-number.ts'
import { typedCode } from '../../resources/typed.ts'
import type { AccountActions } from '../../resources/users/account-actions.ts'
import * as users from '../../resources/users/store.ts'
import type { Lockout } from '../lockout.ts'
import type { Attempt } from '../password-check.ts'
import { type Proof, recordPasswordLogin, writeMetadata } from '../store.ts'
import { mailOf, textOf } from './messages.ts'
import * as store from './store.ts'

export interface PasswordlessDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  outbox: Outbox
  lockout: Lockout
  tenantLog: TenantLog
  accountActions: AccountActions
}

/** An attempt, and the login that it belongs to; without one it is the token endpoint's. */
export interface Place extends Omit<Attempt, 'client'> {
  environment: RequestEnvironment
  client: Client
  /** The state of the login. */
  state?: string | undefined
  /** It, as Actions know it. */
  transaction?: object
  /** Who is invited in it; in one connection, if that was said. */
  invited?: { email: string; connectionId: string | undefined } | undefined
}

const TRIES = 3

/** @returns the recipient as it is compared, or undefined for what is none */
export function recipientOf({ strategy }: Connection, typed: string): string | undefined {
  if (strategy === 'sms') return phoneNumber(typed)
  const address = typed.trim()
  return isEmailAddress(address) ? comparableEmail(address) : undefined
}

const optionsOf = (connection: Connection) => connection.options as unknown as PasswordlessOptions

/** Whether somebody who comes for the first time is taken in. Whoever is invited is, as in a database. */
const takesNew = ({ invited }: Place, connection: Connection, recipientKey: string): boolean =>
  !optionsOf(connection).disable_signup ||
  (invited !== undefined &&
    comparableEmail(invited.email) === recipientKey &&
    (invited.connectionId ?? connection.id) === connection.id)

export type Sent = 'sent' | 'too_many'

/**
 * Sends a code, where somebody may sign in with it. The answer is the same where nobody may.
 *
 * @throws Problem `no_phone_provider`
 */
export async function sendCode(
  deps: PasswordlessDependencies,
  place: Place,
  connection: Connection,
  recipientKey: string,
  /** The address that opens a page with this code in it, where a link is wanted. */
  linkTo?: (code: string) => string,
): Promise<Sent> {
  const { environment } = place
  const { strategy } = connection
  if (!isPasswordless(strategy)) throw new Error('the connection sends no codes')
  if (!(await deps.lockout.admitCode(environment.id, place.asker.ip, recipientKey))) return 'too_many'
  const { totp } = optionsOf(connection)
  const now = deps.clock.now()
  const admitText = await deps.lockout.textMessages(environment.id, place.asker.ip)
  const write = async (tx: Tx): Promise<Sent> => {
    if (strategy === 'sms' && !(await admitText(tx))) return 'too_many'
    const [known] = await store.find(tx, connection.id, strategy, recipientKey)
    if (!known && !takesNew(place, connection, recipientKey)) throw NOBODY
    const code = randomDigits(totp.length)
    const hash = hashCode(deps, environment.id, code)
    await store.put(tx, environment.id, keyOf(place, connection, recipientKey), hash, addSeconds(now, totp.time_step))
    const minutes = Math.max(1, totp.time_step / 60)
    const message = { place, connection, recipient: recipientKey, code, minutes, link: linkTo?.(code) }
    if (strategy === 'email') await deps.outbox.add(tx, environment.id, await mailOf(message))
    else {
      const text = await textOf(message)
      await deps.outbox.addSms(tx, environment.id, { recipient: recipientKey, template: 'auth_sms_by_code', text })
    }
    return 'sent'
  }
  const outcome = await deps.database.inEnvironment(environment.id, write).catch((error): Sent => {
    if (error !== NOBODY) throw error
    return 'sent'
  })
  if (outcome === 'sent') deps.tenantLog.add(environment.id, { type: 'cls', ...about(place, connection, recipientKey) })
  return outcome
}

/**
 * Takes back with its transaction what was counted for a text that nobody gets. The limit is asked first all the same: one
 * that only numbers meet which somebody has would tell which those are (CWE-204).
 */
const NOBODY = new Error('Nobody may sign in with this.')

export type CodeCheck =
  | { outcome: 'right'; userId: string; connectionId: string; proof: Proof; amr: string[] }
  | { outcome: 'wrong' | 'too_many' | 'blocked' }
  /** An Action takes nobody in, with what it says to the person. */
  | { outcome: 'denied'; message: string }

/**
 * Whether a code is right, for a page that will send the person on with it. A wrong one counts as a try; a right one is not
 * used up, and costs none.
 */
export async function isRightCode(
  deps: PasswordlessDependencies,
  place: Place,
  connection: Connection,
  recipientKey: string,
  typed: string,
): Promise<'right' | 'wrong' | 'too_many'> {
  const { environment, asker } = place
  if (!(await deps.lockout.admit(environment.id, recipientKey, asker.ip))) return 'too_many'
  const key = keyOf(place, connection, recipientKey)
  if ((await compare(deps, environment.id, key, typed)) === undefined) {
    deps.tenantLog.add(environment.id, { type: 'fp', ...about(place, connection, recipientKey) })
    return 'wrong'
  }
  await deps.database.once(environment.id, (tx) => store.giveBack(tx, key))
  return 'right'
}

/** Counts the try first. @returns what is stored, if it fits */
async function compare(deps: PasswordlessDependencies, environmentId: string, key: store.CodeKey, typed: string) {
  const now = deps.clock.now()
  const [expected] = await deps.database.once(environmentId, (tx) => store.attempt(tx, key, now, TRIES))
  const given = hashCode(deps, environmentId, typedCode(typed))
  const fits = timingSafeEqual(expected?.code_hash ?? Buffer.alloc(given.length), given)
  return fits ? expected : undefined
}

/**
 * Uses a code up. Whoever comes for the first time becomes a user, unless the connection takes no new ones.
 * @throws Problem `action_failed`
 */
export async function checkCode(
  deps: PasswordlessDependencies,
  place: Place,
  connection: Connection,
  recipientKey: string,
  typed: string,
): Promise<CodeCheck> {
  const { environment, asker } = place
  const { strategy } = connection
  if (!isPasswordless(strategy)) return { outcome: 'wrong' }
  if (!(await deps.lockout.admit(environment.id, recipientKey, asker.ip))) return { outcome: 'too_many' }
  const now = deps.clock.now()
  const key = keyOf(place, connection, recipientKey)
  const failed = (type: LogEntry['type'], userId?: string) =>
    deps.tenantLog.add(environment.id, { type, ...about(place, connection, recipientKey), user_id: userId ?? null })

  const expected = await compare(deps, environment.id, key, typed)
  if (!expected) {
    failed('fp')
    return { outcome: 'wrong' }
  }
  const occasion = { ...place, connection }
  const [email, phone_number] = strategy === 'email' ? [recipientKey, null] : [null, recipientKey]
  const newcomer = await registration()
  if (newcomer?.denied) {
    deps.tenantLog.add(environment.id, {
      type: 'fs',
      ...about(place, connection, recipientKey),
      description: newcomer.denied.reason ?? newcomer.denied.message,
    })
    return { outcome: 'denied', message: newcomer.denied.message }
  }
  const tries = await deps.lockout.triesOf(environment.id, recipientKey, asker.ip)
  const entered = await deps.database.inEnvironment(environment.id, async (tx) => {
    const taken = await store.take(tx, key, expected.code_hash)
    if (taken.length === 0) return undefined
    const [known] = await store.find(tx, connection.id, strategy, recipientKey)
    if (!known && !newcomer) return undefined
    const person = known ?? (await signUp(newcomer!))
    if (person.blocked) return person
    await store.recordProof(tx, person.user_id, recipientKey)
    await recordPasswordLogin(tx, person.user_id, now, asker.ip, tries)
    return { ...person, made: known ? undefined : await users.get(tx, person.user_id) }

    async function signUp({ userMetadata, appMetadata }: NonNullable<typeof newcomer>): Promise<store.Known> {
      const identity_id = newId.databaseUser()
      const made = { user_id: `${strategy}|${identity_id}`, connection_id: connection.id, email, phone_number }
      await store.insertUser(tx, environment.id, made, now)
      await writeMetadata(tx, made.user_id, userMetadata, appMetadata)
      failed('ss', made.user_id)
      return { provider: strategy, identity_id, user_id: made.user_id, blocked: false, password_hash: null }
    }
  })
  if (!entered) {
    failed('fp')
    return { outcome: 'wrong' }
  }
  if (entered.blocked) {
    failed('f', entered.user_id)
    return { outcome: 'blocked' }
  }
  if ('made' in entered && entered.made) deps.accountActions.afterRegistration(occasion, entered.made)
  const { provider, identity_id, password_hash, user_id: userId } = entered
  const proof = { provider, identity_id, password_hash }
  return { outcome: 'right', userId, connectionId: connection.id, proof, amr: [strategy] }

  /** What Actions say to somebody who comes for the first time; asked outside of a transaction. */
  async function registration() {
    if (!takesNew(place, connection, recipientKey) || !isPasswordless(strategy)) return undefined
    const [known] = await deps.database.once(environment.id, (tx) =>
      store.find(tx, connection.id, strategy, recipientKey),
    )
    return known ? undefined : deps.accountActions.beforeRegistration(occasion, { email, phone_number })
  }
}

const keyOf = ({ client, state }: Place, { id }: Connection, recipientKey: string): store.CodeKey => ({
  connectionId: id,
  clientId: client.client_id,
  recipientKey,
  boundTo: state === undefined ? Buffer.alloc(0) : hashHandle(state),
})

const hashCode = ({ secrets }: Pick<PasswordlessDependencies, 'secrets'>, environmentId: string, code: string) =>
  secrets.authenticate('passwordless-code', `${environmentId}/${code}`)

const about = ({ client, asker, organizationId }: Place, connection: Connection, recipientKey: string) => ({
  ...asker,
  client_id: client.client_id,
  client_name: client.name,
  connection: connection.name,
  connection_id: connection.id,
  strategy: connection.strategy,
  strategy_type: 'passwordless',
  user_name: recipientKey,
  organization_id: organizationId ?? null,
})
