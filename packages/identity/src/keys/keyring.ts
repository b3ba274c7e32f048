/**
 * An environment's signing keys. Two are published: the one that signs and the one that signs next, so that verifiers
 * know a key before its first signature. Private keys are sealed at rest and imported once per process.
 *
 * The key of a verification is chosen by host (the environment) and `kid` within its set, never by anything else that
 * an unverified token says (GHSA-869p-cjfg-cm3x).
 */

// @peculiar/x509 resolves its parts through decorators' metadata and does not load without it.
import 'reflect-metadata'
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import { promisify } from 'node:util'
import { X509CertificateGenerator } from '@peculiar/x509'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
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
  (deps: { database: Database; cache: ConfigurationCache; secrets: Secrets }): Keyrings =>
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

const keyContext = (environmentId: string, kid: string) => `${environmentId}/signing-key/${kid}`

/** A fresh RSA-2048 pair with a self-signed certificate, ready to be stored. */
export async function makeSigningKey(
  deps: { secrets: Secrets; clock: Clock },
  environmentId: string,
  state: store.KeyRow['state'],
): Promise<store.KeyRow> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const jwk = pair.publicKey.export({ format: 'jwk' }) as JsonWebKey & { n: string; e: string }
  // RFC 7638: the thumbprint over the required members in lexicographic order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ e: jwk.e, kty: 'RSA', n: jwk.n }))
    .digest('base64url')
  const now = deps.clock.now()
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${environmentId}`,
    notBefore: now,
    notAfter: addSeconds(now, 10 * 365 * 86_400),
    signingAlgorithm: algorithm,
    keys: {
      privateKey: await webcrypto.subtle.importKey(
        'pkcs8',
        pair.privateKey.export({ type: 'pkcs8', format: 'der' }),
        algorithm,
        true,
        ['sign'],
      ),
      publicKey: await webcrypto.subtle.importKey(
        'spki',
        pair.publicKey.export({ type: 'spki', format: 'der' }),
        algorithm,
        true,
        ['verify'],
      ),
    },
  })
  return {
    kid,
    state,
    public_jwk: { n: jwk.n, e: jwk.e },
    certificate: new X509Certificate(Buffer.from(certificate.rawData)).raw.toString('base64'),
    private_key: deps.secrets.seal(
      keyContext(environmentId, kid),
      pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    ),
  }
}
