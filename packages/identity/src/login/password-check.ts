/**
 * Checks a password the same way everywhere: counted first, compared in the same time whether the account exists or not,
 * rehashed when the parameters have moved on.
 */

import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { asker, type LogEntry, type TenantLog } from '../logs/tenant-log.ts'
import type { Client, Connection } from '../oauth/configuration.ts'
import type { RefuseLeaked } from '../resources/attack-protection/leaks.ts'
import { comparableEmail } from '../resources/email-address.ts'
import { hashPassword, needsRehash, verifyPassword } from '../upstream/database/password.ts'
import { isTooLong } from '../upstream/database/policy.ts'
import type { Lockout } from './lockout.ts'
import type { Visit } from './login.ts'
import * as store from './store.ts'

export type PasswordCheck =
  /** One that is `leaked` is right, and signs nobody in. */
  | { outcome: 'right' | 'leaked'; userId: string; connectionId: string; proof: store.Proof }
  | { outcome: 'wrong' | 'too_many' | 'blocked' }

export interface PasswordDependencies {
  database: Database
  clock: Clock
  lockout: Lockout
  refuseLeaked: RefuseLeaked
  tenantLog: TenantLog
}

/** Who tries to sign in, where, and from which address: pages and the token endpoint alike. */
export interface Attempt {
  environmentId: string
  client: Pick<Client, 'client_id' | 'name'>
  organizationId: string | undefined
  /** Tries are counted by its address. */
  asker: ReturnType<typeof asker>
  /** Somebody who is signed in says once more who they are: what is right is no sign-in. */
  isConfirmation?: boolean
}

export const attemptOf = ({ request, client, transaction }: Visit): Attempt => ({
  environmentId: request.environment.id,
  client,
  organizationId: transaction.organizationId,
  asker: asker(request),
})

export async function checkPassword(
  tools: PasswordDependencies,
  { environmentId, client, organizationId, asker, isConfirmation = false }: Attempt,
  connections: Connection[],
  identifier: string,
  password: string,
): Promise<PasswordCheck> {
  // What is counted is what is looked up: PostgreSQL alone would take İ for i, and each spelling had tries of its own.
  const account = comparableEmail(identifier.trim())
  if (!(await tools.lockout.admit(environmentId, account, asker.ip))) return { outcome: 'too_many' }
  const [person] = await tools.database.once(environmentId, (tx) =>
    store.findCredentials(tx, account, realmsOf(connections)),
  )
  const databases = connections.filter(isDatabase)
  // Of somebody who is in none of several, none can be named.
  const named = databases.find(({ id }) => databases.length === 1 || id === person?.connection_id)
  const about = {
    ...asker,
    client_id: client.client_id,
    client_name: client.name,
    user_id: person?.user_id ?? null,
    user_name: account,
    connection_id: named?.id ?? null,
    connection: named?.name ?? null,
    strategy: named?.strategy ?? null,
    strategy_type: named ? 'database' : null,
    organization_id: organizationId ?? null,
  }
  const failed = (type: LogEntry['type'], description?: string) =>
    tools.tenantLog.add(environmentId, { type, ...about, ...(description ? { description } : {}) })
  const tooLong = isTooLong(password)
  const fits = await verifyPassword(person?.password_hash ?? undefined, tooLong ? '' : password)
  if (!person || !fits || tooLong) {
    failed(person ? 'fp' : 'fu')
    return { outcome: 'wrong' }
  }
  if (person.blocked) {
    failed('f', 'The user is blocked')
    return { outcome: 'blocked' }
  }
  const who = { userId: person.user_id, connectionId: person.connection_id }
  if (await tools.refuseLeaked(environmentId, 'login', password, about))
    return { outcome: 'leaked', ...who, proof: person }

  const proof = needsRehash(person.password_hash!) ? await rehash(tools, environmentId, person, password) : person
  if (!proof) {
    failed('fp')
    return { outcome: 'wrong' }
  }
  const tries = await tools.lockout.triesOf(environmentId, account, asker.ip)
  await tools.database.once(environmentId, (tx) =>
    isConfirmation
      ? store.forgetTries(tx, tries)
      : store.recordPasswordLogin(tx, person.user_id, tools.clock.now(), asker.ip, tries),
  )
  return { outcome: 'right', ...who, proof }
}

/** @returns what proves the person now, or undefined when the password was changed meanwhile */
async function rehash(
  { database }: Pick<PasswordDependencies, 'database'>,
  environmentId: string,
  person: store.Credentials,
  password: string,
): Promise<store.Proof | undefined> {
  const hash = await hashPassword(password)
  const current = await database.inEnvironment(environmentId, async (tx) => {
    const [replaced] = await store.replacePasswordHash(tx, person, hash)
    // Another sign-in was quicker to hash the same password anew, or it was changed: the hash of now decides.
    return replaced ? hash : ((await store.currentHash(tx, person))[0]?.password_hash ?? null)
  })
  const isSame = current === hash || (await verifyPassword(current ?? undefined, password))
  return isSame ? { ...person, password_hash: current } : undefined
}

const isDatabase = ({ strategy }: Connection): boolean => strategy === 'auth0'

/** Databases of our own, of which some know usernames. */
export function realmsOf(connections: Connection[]): store.Realms {
  const databases = connections.filter(isDatabase)
  return {
    ids: databases.map(({ id }) => id),
    withUsernames: databases.filter(({ options }) => options.requires_username).map(({ id }) => id),
  }
}

export type Refusal = Exclude<PasswordCheck['outcome'], 'right'>

/** The name of a text: the same for an unknown address and a wrong password, also when it is the limit that speaks. */
export const refusalOf = (outcome: Refusal): { status: number; text: string } =>
  ({
    wrong: { status: 400, text: 'wrong-credentials' },
    too_many: { status: 429, text: 'too-many-tries' },
    blocked: { status: 403, text: 'user-blocked' },
    leaked: { status: 403, text: 'password-leaked' },
  })[outcome]
