/**
 * Checks a password the same way everywhere: counted first, compared in the same time whether the account exists or not,
 * rehashed when the parameters have moved on.
 */

import { asker, type LogEntry } from '../logs/tenant-log.ts'
import type { Connection } from '../oauth/configuration.ts'
import { comparableEmail } from '../resources/email-address.ts'
import { hashPassword, needsRehash, verifyPassword } from '../upstream/database/password.ts'
import { isTooLong } from '../upstream/database/policy.ts'
import type { StepTools, Visit } from './login.ts'
import * as store from './store.ts'

export type PasswordCheck =
  | { outcome: 'right'; userId: string; connectionId: string; proof: store.Proof }
  | { outcome: 'wrong' | 'too_many' | 'blocked' }

export async function checkPassword(
  tools: StepTools,
  { request, client, transaction }: Visit,
  connections: Connection[],
  identifier: string,
  password: string,
): Promise<PasswordCheck> {
  const environmentId = request.environment.id
  // What is counted is what is looked up: PostgreSQL alone would take İ for i, and each spelling had tries of its own.
  const account = comparableEmail(identifier.trim())
  if (!(await tools.lockout.admit(environmentId, account, request.ip))) return { outcome: 'too_many' }
  const [person] = await tools.database.once(environmentId, (tx) =>
    store.findCredentials(tx, account, realmsOf(connections)),
  )
  const failed = (type: LogEntry['type'], description?: string) =>
    tools.tenantLog.add(environmentId, {
      type,
      ...asker(request),
      ...(description ? { description } : {}),
      client_id: client.client_id,
      client_name: client.name,
      user_id: person?.user_id ?? null,
      user_name: account,
      connection_id: person?.connection_id ?? null,
      organization_id: transaction.organizationId ?? null,
    })
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

  const now = tools.clock.now()
  const rehashed = needsRehash(person.password_hash!) ? await hashPassword(password) : undefined
  let proof: store.Proof = person
  await tools.database.inEnvironment(environmentId, async (tx) => {
    await store.recordLogin(tx, person.user_id, now, request.ip)
    if (!rehashed) return
    const [replaced] = await store.replacePasswordHash(tx, person, rehashed)
    // Another sign-in was quicker to hash the same password anew, or it was changed: the hash of now decides.
    const current = replaced ? rehashed : (await store.currentHash(tx, person))[0]?.password_hash
    proof = { ...person, password_hash: current ?? null }
  })
  const superseded = rehashed !== undefined && proof.password_hash !== rehashed
  if (superseded && !(await verifyPassword(proof.password_hash ?? undefined, password))) {
    failed('fp')
    return { outcome: 'wrong' }
  }
  await tools.lockout.succeeded(environmentId, account, request.ip)
  return { outcome: 'right', userId: person.user_id, connectionId: person.connection_id, proof }
}

/** Databases of our own, of which some know usernames. */
export function realmsOf(connections: Connection[]): store.Realms {
  const databases = connections.filter(({ strategy }) => strategy === 'auth0')
  return {
    ids: databases.map(({ id }) => id),
    withUsernames: databases.filter(({ options }) => options.requires_username).map(({ id }) => id),
  }
}

/** Generic words: the same for an unknown address and a wrong password, also when it is the limit that speaks. */
export const refusalText = (outcome: Exclude<PasswordCheck['outcome'], 'right'>): { status: number; text: string } =>
  ({
    wrong: { status: 400, text: 'Wrong email or password. Try again, or ask your administrator for help.' },
    too_many: { status: 429, text: 'Too many tries. Wait 15 minutes, then try again.' },
    blocked: { status: 403, text: 'This sign-in is blocked. Ask your administrator for help.' },
  })[outcome]
