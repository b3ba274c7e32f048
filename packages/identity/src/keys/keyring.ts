/**
 * An environment's signing keys. Two are published: the one that signs and the one that signs next, so that verifiers
 * know a key before its first signature. Private keys are sealed at rest and imported once per process.
 *
 * The key of a verification is chosen by host (the environment) and `kid` within its set, never by anything else that
 * an unverified token says (GHSA-869p-cjfg-cm3x).
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ConfigurationCache } from '../configuration-cache.ts'
import * as store from './store.ts'

export interface SigningKey {
  kid: string
  alg: 'RS256'
  privateKey: KeyObject
  publicKey: KeyObject
}

export interface PublicJwk {
  kty: string
  use: 'sig'
  n: string
  e: string
  kid: string
  x5t: string
  x5c: [string]
  alg: 'RS256'
}

export interface Keyring {
  current: SigningKey
  byKid: ReadonlyMap<string, SigningKey>
  jwks: { keys: PublicJwk[] }
}

export type Keyrings = (environmentId: string) => Promise<Keyring>

export const createKeyrings =
  (deps: { database: Database; cache: Pick<ConfigurationCache, 'remember'>; secrets: Secrets }): Keyrings =>
  async (environmentId) => {
    const keyring = await deps.cache.remember(environmentId, ['keyring'], async () =>
      assemble(
        await deps.database.inEnvironment(environmentId, (tx) => store.published(tx)),
        deps.secrets,
        environmentId,
      ),
    )
    if (!keyring) throw new Error(`Environment ${environmentId} has no signing key.`)
    return keyring
  }

function assemble(rows: store.KeyRow[], secrets: Secrets, environmentId: string): Keyring | undefined {
  const keys = rows.map((row) => {
    const privateKey = createPrivateKey(secrets.open(keyContext(environmentId, row.kid), row.private_key))
    const key: SigningKey = { kid: row.kid, alg: 'RS256', privateKey, publicKey: createPublicKey(privateKey) }
    return { row, key }
  })
  const current = keys.find(({ row }) => row.state === 'current')?.key
  if (!current) return undefined
  return {
    current,
    byKid: new Map(keys.map(({ key }) => [key.kid, key])),
    jwks: { keys: keys.map(({ row }) => toJwk(row)) },
  }
}

const toJwk = ({ public_jwk, kid, certificate }: store.KeyRow): PublicJwk => ({
  kty: 'RSA',
  use: 'sig',
  n: public_jwk.n,
  e: public_jwk.e,
  kid,
  x5t: createHash('sha1').update(Buffer.from(certificate, 'base64')).digest('base64url'),
  x5c: [certificate],
  alg: 'RS256',
})

export const keyContext = (environmentId: string, kid: string) => `${environmentId}/signing-key/${kid}`
