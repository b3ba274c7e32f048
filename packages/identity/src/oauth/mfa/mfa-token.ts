/**
 * The mfa_token of Auth0: what a client gets in the place of tokens when a second factor is due, and with which it asks for
 * one, adds one and proves one. It stands for a person whose first factor was right, and for nothing else: no endpoint but
 * those of /mfa and its three grants takes it.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Person } from '../../login/factors/factor.ts'
import * as login from '../../login/store.ts'
import type { LogEntry } from '../../logs/tenant-log.ts'
import type { Client } from '../configuration.ts'
import { problems } from '../problems.ts'
import * as store from './store.ts'

const LIFETIME_SECONDS = 600

const proofHash = (passwordHash: string | null): Buffer => hashHandle(passwordHash ?? '')

export type HalfProven = Pick<
  store.MfaTokenRow,
  | 'client_id'
  | 'user_id'
  | 'connection_id'
  | 'organization_id'
  | 'audience'
  | 'scope'
  | 'amr'
  | 'grant_type'
  | 'protocol'
> & { proof: login.Proof }

/** @returns the token; only its hash is kept */
export async function keepHalfProven(
  { database, clock }: { database: Database; clock: Clock },
  environment: RequestEnvironment,
  { proof, ...half }: HalfProven,
): Promise<string> {
  const token = randomHandle()
  const now = clock.now()
  await database.once(environment.id, (tx) =>
    store.insert(tx, environment.id, {
      ...half,
      token_hash: hashHandle(token),
      provider: proof.provider,
      identity_id: proof.identity_id,
      proof_hash: proofHash(proof.password_hash),
      issuer: environment.issuer,
      adding_id: null,
      recovery_id: null,
      created_at: now,
      expires_at: addSeconds(now, LIFETIME_SECONDS),
    }),
  )
  return token
}

export interface Opened {
  token: string
  row: store.MfaTokenRow
  proof: login.Proof
  person: Person
}

/**
 * @param client the one that presents it, where it says who it is: a token of another one is none
 * @throws Problem `malformed_mfa_token`, `expired_mfa_token`
 */
export async function openMfaToken(
  { database, clock }: { database: Database; clock: Clock },
  environment: RequestEnvironment,
  token: string,
  client: Pick<Client, 'client_id' | 'name'> | undefined,
  about: Partial<LogEntry>,
): Promise<Opened> {
  const [row] = await database.once(environment.id, (tx) => store.read(tx, hashHandle(token)))
  if (!row || row.issuer !== environment.issuer) throw problems.malformed_mfa_token()
  if (client && row.client_id !== client.client_id)
    throw problems.malformed_mfa_token({ internal: 'of another client' })
  if (row.expires_at <= clock.now()) throw problems.expired_mfa_token()
  const [user, password_hash] = await database.inEnvironment(environment.id, async (tx) => {
    const [found] = await login.person(tx, row.user_id)
    const [current] = await login.currentHash(tx, { ...row, password_hash: null })
    return [found, current?.password_hash] as const
  })
  // Blocked, deleted, unlinked, or with another password than the one that was right.
  const isSame = password_hash !== undefined && proofHash(password_hash).equals(row.proof_hash)
  if (!user || !isSame) throw problems.malformed_mfa_token({ internal: 'what was proven is so no more' })
  return {
    token,
    row,
    proof: { provider: row.provider, identity_id: row.identity_id, password_hash },
    person: {
      environment,
      user,
      product: client?.name ?? environment.name,
      about: {
        ...about,
        client_id: row.client_id,
        client_name: client?.name ?? null,
        connection_id: row.connection_id,
        organization_id: row.organization_id,
      },
    },
  }
}
