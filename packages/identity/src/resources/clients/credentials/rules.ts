import { createHash, createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { unsupported } from '../../inert.ts'
import type { CreateCredential } from './schema.ts'
import type { CredentialRow } from './store.ts'

export const problems = defineProblems({
  inexistent_credential: { status: 404, title: 'The credential does not exist.' },
  too_many_credentials: {
    status: 400,
    title: 'A client has at most {limit} credentials. Delete one that has expired.',
  },
  credential_conflict: { status: 409, title: 'The client has a credential with this key or kid already.' },
  credential_in_use: {
    status: 409,
    title:
      "The client uses this credential. Take it out of 'client_authentication_methods' and 'signed_request_object' first.",
  },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

/** Two are enough to change from one key to the next. */
export const CREDENTIALS_PER_CLIENT = 2

const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** @throws Problem `invalid_body`, `operation_not_supported` */
export function credential(asked: CreateCredential, now: Date): CredentialRow {
  if (asked.credential_type !== 'public_key') throw unsupported('credential_type')
  if (asked.subject_dn !== undefined) throw refuse("'subject_dn' does not belong to a credential of type public_key.")
  if (asked.pem === undefined) throw refuse("'pem' is missing.")
  const { key, certificate } = read(asked.pem)
  return {
    id: newId.clientCredential(),
    credential_type: 'public_key',
    name: asked.name ?? null,
    kid: asked.kid ?? thumbprint(key),
    alg: asked.alg ?? 'RS256',
    public_key: key.export({ type: 'spki', format: 'pem' }).toString(),
    created_at: now,
    updated_at: now,
    expires_at: expiry(asked, certificate, now),
  }
}

/** The expiry of a body; what is over already would be a credential that never works. @throws Problem `invalid_body` */
export function futureDate(text: string, now: Date): Date {
  const date = new Date(text)
  if (!(date > now)) throw refuse("'expires_at' must be a date in the future.")
  return date
}

function expiry(asked: CreateCredential, certificate: X509Certificate | undefined, now: Date): Date | null {
  if (asked.expires_at !== undefined) return futureDate(asked.expires_at, now)
  if (!asked.parse_expiry_from_cert) return null
  if (!certificate) throw refuse("'parse_expiry_from_cert' needs a certificate in 'pem'.")
  return futureDate(certificate.validTo, now)
}

/** RSA of 2048 to 4096 bits: shorter keys are weak, longer ones make each verification a burden. */
function read(pem: string): { key: KeyObject; certificate: X509Certificate | undefined } {
  // A private key would parse as well; it has left its owner by then, and must not be accepted in silence.
  if (/PRIVATE KEY/.test(pem)) throw refuse("'pem' holds a private key. Replace that key, and send a public one.")
  const { key, certificate } = parse(pem)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048 || bits > 4096) {
    throw refuse("'pem' must hold an RSA key of 2048 to 4096 bits.")
  }
  return { key, certificate }
}

function parse(pem: string): { key: KeyObject; certificate: X509Certificate | undefined } {
  try {
    if (!pem.includes('BEGIN CERTIFICATE')) return { key: createPublicKey(pem), certificate: undefined }
    const certificate = new X509Certificate(pem)
    return { key: certificate.publicKey, certificate }
  } catch (cause) {
    throw problems.invalid_body({ facts: { reason: "'pem' is no public key and no certificate in PEM." }, cause })
  }
}

/** RFC 7638: the digest over the required members in lexicographic order. */
function thumbprint(key: KeyObject): string {
  const { e, n } = key.export({ format: 'jwk' }) as JsonWebKey
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url')
}

/** A credential as the API shows it. */
export function shown(row: CredentialRow) {
  const { public_key: _, name, expires_at, ...rest } = row
  return { ...rest, ...(name === null ? {} : { name }), ...(expires_at === null ? {} : { expires_at }) }
}
