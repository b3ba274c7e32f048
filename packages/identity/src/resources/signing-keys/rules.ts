import { X509Certificate } from 'node:crypto'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { PublicKeyRow } from '../../keys/store.ts'
import { present } from '../wire.ts'

export const problems = defineProblems({
  inexistent_signing_key: { status: 404, title: 'The signing key does not exist.' },
  signing_key_in_use: {
    status: 409,
    title: 'The {state} key cannot be revoked. Rotate first: only a key that was used before can.',
  },
  signing_key_revoked: { status: 409, title: 'The signing key is revoked already.' },
})

const certificateOf = ({ certificate }: PublicKeyRow) => new X509Certificate(Buffer.from(certificate, 'base64'))

export const certified = (row: PublicKeyRow) => ({ kid: row.kid, cert: certificateOf(row).toString() })

/** A key as the API shows it: never its private half. */
export function shown(row: PublicKeyRow) {
  const certificate = certificateOf(row)
  const { current_since, current_until, revoked_at } = row
  return {
    kid: row.kid,
    cert: certificate.toString(),
    // SHA-1, as in the certificate's x5t.
    fingerprint: certificate.fingerprint,
    thumbprint: certificate.fingerprint.replaceAll(':', ''),
    [row.state]: true,
    ...present({ current_since, current_until, revoked_at }),
  }
}

/** @throws Problem that says why a key was not revoked */
export function refuseRevocation(row: PublicKeyRow | undefined): never {
  if (!row) throw problems.inexistent_signing_key()
  if (row.state === 'revoked') throw problems.signing_key_revoked()
  throw problems.signing_key_in_use({ facts: { state: row.state } })
}
