/**
 * The mfa_token of Auth0: what a client gets in the place of tokens when a second factor is due, and with which it asks for
 * one, adds one and proves one. It stands for a person whose first factor was right, or for a refresh token whose use wants
 * more, and for nothing else: no endpoint but those of /mfa and its three grants takes it.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Person } from '../../login/factors/factor.ts'
import * as login from '../../login/store.ts'
import type { LogEntry } from '../../logs/tenant-log.ts'
import type { Client } from '../configuration.ts'
import { problems } from '../problems.ts'
import { isCurrent } from '../refresh-token-store.ts'
import * as store from './store.ts'

const LIFETIME_SECONDS = 600

const proofHash = (passwordHash: string | null): Buffer => hashHandle(passwordHash ?? '')

/** What was proven, as it is kept. */
const identityOf = (proof: login.Proof | null) =>
  proof === null
    ? { provider: null, identity_id: null, proof_hash: null }
    : { provider: proof.provider, identity_id: proof.identity_id, proof_hash: proofHash(proof.password_hash) }

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
> &
  StandsFor

/** The first factor that was right, or the refresh token that was presented. */
type StandsFor = { proof: login.Proof; refresh_token_id: null } | { proof: null; refresh_token_id: string }

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
      ...identityOf(proof),
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
  /** null for the token of a refresh. */
  proof: login.Proof | null
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
  const [user, proof] = await database.inEnvironment(environment.id, async (tx) => {
    const [found] = await login.person(tx, row.user_id)
    return [found, await stillStands(tx, row)] as const
  })
  // Blocked, deleted, unlinked, with another password than the one that was right, or with a refresh token that was used up.
  if (!user || proof === undefined) throw problems.malformed_mfa_token({ internal: 'what was proven is so no more' })
  return {
    token,
    row,
    proof,
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

/** @returns the proof as it is now, null for a refresh token that is still to be used, undefined for neither */
async function stillStands(tx: Tx, row: store.MfaTokenRow): Promise<login.Proof | null | undefined> {
  if (row.refresh_token_id !== null) return (await isCurrent(tx, row.refresh_token_id)).length > 0 ? null : undefined
  const proven = { provider: row.provider!, identity_id: row.identity_id! }
  const [current] = await login.currentHash(tx, { ...proven, password_hash: null })
  if (!current || !proofHash(current.password_hash).equals(row.proof_hash!)) return undefined
  return { ...proven, password_hash: current.password_hash }
}
