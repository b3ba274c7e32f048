/**
 * Signing up in a database connection: one way for the page and for the API.
 *
 * Who has an account stays unknown where the address is proven first: the answer is the same, and the mail says to the
 * owner what the page does not. Until the link in it was followed the person has no password, so whoever signs up with
 * somebody else's address gains nothing, not even when the owner confirms it (the confirmation asks for the password that
 * was chosen, unless it comes from the browser in which it was).
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { isRefusal, Problem } from '@tenantry/kernel/problem.ts'
import type { Outbox } from '../delivery/outbox.ts'
import * as messages from '../delivery/store.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { asker, TenantLog } from '../logs/tenant-log.ts'
import type { Client, Connection } from '../oauth/configuration.ts'
import type { RefuseLeaked } from '../resources/attack-protection/leaks.ts'
import * as connections from '../resources/connections/store.ts'
import * as organizations from '../resources/organizations/store.ts'
import { sendTicketMail } from '../resources/tickets/mail.ts'
import * as tickets from '../resources/tickets/store.ts'
import type { AccountActions } from '../resources/users/account-actions.ts'
import { refusalOfPassword } from '../resources/users/passwords/rules.ts'
import { merged, ownIdentity, registered } from '../resources/users/rules.ts'
import type { CreateUser } from '../resources/users/schema.ts'
import * as users from '../resources/users/store.ts'
import { hashPassword } from '../upstream/database/password.ts'
import type { Violation } from '../upstream/database/policy.ts'
import { takesResets } from './password-reset.ts'
import * as store from './store.ts'

export interface SignUpDependencies {
  database: Database
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
  refuseLeaked: RefuseLeaked
  accountActions: AccountActions
}

export interface AskedSignUp {
  environment: RequestEnvironment
  asker: ReturnType<typeof asker>
  client: Client
  connection: Connection
  organizationId: string | undefined
  /** Without a password there must be something else to sign in with. */
  profile: Omit<CreateUser, 'connection' | 'email'> & { email: string }
  /** What else was said, for Actions. */
  body?: Record<string, unknown> | undefined
  /** The sign-in in which somebody signs up, as Actions know it. */
  transaction?: object | undefined
  /** Keeps that, together with the account. @throws Problem, and neither is kept */
  keep?: (tx: Tx, userId: string) => Promise<void>
  /** The address is proven before its first sign-in, from this browser or with the password. */
  provenIn?: Buffer | undefined
}

export type SignedUp =
  | { outcome: 'created'; user: users.UserRow }
  | { outcome: 'exists' | 'username_exists' }
  | { outcome: 'weak'; violation: Violation }
  | { outcome: 'invalid'; reason: string }
  /** By an Action, with what it says to the person. */
  | { outcome: 'denied'; message: string }

/** Whether people may sign up themselves; in an organization they must become its members by that. */
export const takesSignUps = (connection: Connection, organizationId: string | undefined): boolean =>
  connection.strategy === 'auth0' &&
  connection.options.disable_signup === false &&
  (organizationId === undefined || (connection.is_signup_enabled && connection.assign_membership_on_login))

/** Mails to one address; more would make this a way to flood somebody's mailbox in our name. */
const MAILS_PER_HOUR = 5

/** The connection must take sign-ups: `takesSignUps`. @throws Problem `action_failed` */
export async function signUp(deps: SignUpDependencies, asked: AskedSignUp): Promise<SignedUp> {
  const { environment, connection, profile, provenIn } = asked
  const { password: plain } = profile
  const occasion = { ...asked, body: { ...asked.body, ...profile, password: undefined } }
  const row = await deps.database.inEnvironment(environment.id, (tx) => connections.get(tx, connection.id))
  let user: users.UserRow
  try {
    user = registered({ ...profile, password: plain ?? '', connection: connection.name }, row, '', deps.clock.now())
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error
    return failed({ outcome: 'invalid', reason: String(error.facts.reason ?? error.message) })
  }
  const violation =
    plain === undefined
      ? undefined
      : await refusalOfPassword(deps, {
          environmentId: environment.id,
          options: row.options,
          plain,
          person: user,
          about: about(),
        })
  if (violation) return failed({ outcome: 'weak', violation })
  // Hashed whether it will be needed or not: the time must not tell either.
  const passwordHash = plain === undefined ? null : await hashPassword(plain)
  // Asked of whoever has an account as well, or their answers would tell the two apart.
  const { denied, userMetadata, appMetadata } = await deps.accountActions.beforeRegistration(occasion, user)
  if (denied) return failed({ outcome: 'denied', message: denied.message }, denied.reason)
  const named = {
    ...user,
    user_metadata: merged(user.user_metadata, userMetadata),
    app_metadata: merged(user.app_metadata, appMetadata),
    password_hash: provenIn ? null : passwordHash,
  }
  const waiting = provenIn && passwordHash !== null ? { passwordHash, browserHash: provenIn } : undefined
  const attempt = () => deps.database.inEnvironment(environment.id, (tx) => enter(tx, named, waiting))
  const { outcome, mailed } = await attempt().catch((error): Entered | Promise<Entered> => {
    // Of two at once one is second: it finds the first now.
    if (isRefusal(error, 'user_exists')) return attempt()
    if (isRefusal(error, 'username_exists')) return { outcome: 'username_exists' }
    throw error
  })
  if (outcome !== 'created') return failed({ outcome })
  deps.tenantLog.add(environment.id, { type: 'ss', ...about(user) })
  if (mailed) deps.tenantLog.add(environment.id, { type: 'svr', ...about(user) })
  deps.accountActions.afterRegistration(occasion, named)
  return { outcome, user: named }

  async function enter(tx: Tx, next: users.UserRow, signUp: typeof waiting): Promise<Entered> {
    const now = deps.clock.now()
    // Looked up first: a name that is known to be taken would otherwise tell which addresses have an account.
    const [namesake] = next.username
      ? await store.findCredentials(tx, next.username, { ids: [], withUsernames: [connection.id] })
      : []
    const [known] = await store.findCredentials(tx, next.email!, { ids: [connection.id], withUsernames: [] })
    // Who tries again before the address is confirmed meets the own name: that is no secret, and gets another mail.
    const isAgain =
      known !== undefined && known.user_id === namesake?.user_id && (await tickets.isSignUpOpen(tx, known.user_id, now))
    if (namesake && !isAgain) return { outcome: 'username_exists' }
    if (!known) {
      await users.insert(tx, environment.id, next)
      await asked.keep?.(tx, next.user_id)
      const made = { ...next, connection: connection.name, identities: [ownIdentity(next, connection.name)] }
      return { outcome: 'created', mailed: await mail(tx, 'verify_email', made, signUp) }
    }
    const owner = await users.lock(tx, known.user_id)
    // A linked identity's address is not where its person is written to.
    if (!known.is_primary) return { outcome: 'exists' }
    const isOpen = signUp !== undefined && (await tickets.isSignUpOpen(tx, owner.user_id, now))
    if (isOpen) await mail(tx, 'verify_email', owner, signUp)
    // This mail leads to a new password, which is not everywhere the person's to choose.
    else if (takesResets(connection)) await mail(tx, 'account_exists', owner, undefined)
    return { outcome: 'exists' }
  }

  async function mail(
    tx: Tx,
    template: 'verify_email' | 'account_exists',
    to: users.UserWithConnection,
    signUp: typeof waiting,
  ): Promise<boolean> {
    const email = to.email!
    const since = addSeconds(deps.clock.now(), -3600)
    if ((await messages.countSince(tx, { recipient: email, template, since })) >= MAILS_PER_HOUR) return false
    const { client, organizationId } = asked
    const organization = organizationId ? await organizations.find(tx, organizationId) : undefined
    return sendTicketMail(deps, tx, template, { environment, user: { ...to, email }, client, organization, signUp })
  }

  function failed<Failure extends Exclude<SignedUp, { outcome: 'created' }>>(
    failure: Failure,
    reason?: string,
  ): Failure {
    const description = {
      exists: 'The user already exists.',
      username_exists: 'The username already exists.',
      weak: 'Password is too weak',
      invalid: 'Invalid sign up',
      denied: reason ?? 'An Action denied the sign-up.',
    }[failure.outcome]
    deps.tenantLog.add(environment.id, { type: 'fs', description, ...about() })
    return failure
  }

  function about(made?: users.UserRow) {
    return {
      ...asked.asker,
      client_id: asked.client.client_id,
      client_name: asked.client.name,
      connection: connection.name,
      connection_id: connection.id,
      strategy: connection.strategy,
      strategy_type: 'database',
      user_id: made?.user_id ?? null,
      user_name: profile.email,
      organization_id: asked.organizationId ?? null,
    }
  }
}

interface Entered {
  outcome: 'created' | 'exists' | 'username_exists'
  mailed?: boolean
}
