import {
  createHash,
  generateKeyPair,
  type JsonWebKey,
  type KeyPairKeyObjectResult,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import { promisify } from 'node:util'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { keyContext } from './keyring.ts'
import type * as store from './store.ts'

/** Loaded when a key is made, which is rare: it costs a fifth of a start. It needs the metadata of decorators. */
const certificates = async () => {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

export interface SigningKeyDependencies {
  secrets: Secrets
  clock: Clock
  /** Where the RSA-2048 pair comes from; absent: it is made. */
  newKeyPair?: (() => Promise<KeyPairKeyObjectResult>) | undefined
}

export const newKeyPair = (): Promise<KeyPairKeyObjectResult> =>
  promisify(generateKeyPair)('rsa', { modulusLength: 2048 })

/** A fresh pair with a self-signed certificate, ready to be stored. */
export async function makeSigningKey(
  deps: SigningKeyDependencies,
  environmentId: string,
  state: store.KeyRow['state'],
): Promise<store.KeyRow> {
  const { X509CertificateGenerator } = await certificates()
  const pair = await (deps.newKeyPair ?? newKeyPair)()
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
    current_since: state === 'current' ? now : null,
    current_until: null,
    revoked_at: null,
  }
}
