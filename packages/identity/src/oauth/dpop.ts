/**
 * Proofs of possession (RFC 9449): a JWT in the DPoP header that the client signed for this one request, with a key that
 * the tokens are bound to. Whoever copies such a token has no key. ES256 alone, as at Auth0: the algorithm is not the
 * header's to choose.
 */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { decodeToken } from '@tenantry/kernel/jws.ts'
import { hashHandle, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { Client, ResourceServer } from './configuration.ts'
import { problems } from './problems.ts'
import * as store from './store.ts'

export const PROOF_ALGORITHMS = ['ES256']

/** A proof is made for one request; clocks of devices differ. */
const MAX_AGE = 300
const LEEWAY = 60
const MAX_LENGTH = 8192

export interface ProvenRequest {
  method: string
  /** Of the endpoint, at the origin where the environment was reached. */
  path: string
  /** The DPoP header, as it came. */
  header: string | string[] | undefined
  /** At a resource: the token that the proof must name. */
  accessToken?: string
}

const refuse = (reason: string) => problems.invalid_dpop_proof({ facts: { reason } })

/**
 * @returns the thumbprint of the key that the sender holds (RFC 7638), or undefined without a proof
 * @throws Problem `invalid_dpop_proof`, also for a proof that was used before
 */
export async function provenKey(
  { database, clock }: { database: Database; clock: Clock },
  environment: RequestEnvironment,
  { method, path, header, accessToken }: ProvenRequest,
): Promise<string | undefined> {
  if (header === undefined) return undefined
  if (typeof header !== 'string' || header.length > MAX_LENGTH) throw refuse('Send one DPoP header with one proof.')
  const decoded = decodeToken(header)
  if (typeof decoded === 'string') throw refuse('The DPoP proof is not a JWT.')
  const { claims, signed, signature } = decoded
  if (decoded.header.typ !== 'dpop+jwt') throw refuse('The DPoP proof must have the typ dpop+jwt.')
  if (decoded.header.alg !== 'ES256') throw refuse('The DPoP proof must be signed with ES256.')
  const key = keyOf(decoded.header.jwk)
  if (!(await verifies(key, signed, signature))) throw refuse('The signature of the DPoP proof does not verify.')

  const { htm, htu, iat, jti, ath } = claims
  const now = clock.now()
  const seconds = epochSeconds(now)
  if (htm !== method) throw refuse('The DPoP proof was made for another method.')
  if (!isSameAddress(htu, environment.origin + path)) throw refuse('The DPoP proof was made for another address.')
  if (typeof iat !== 'number' || !(iat > seconds - MAX_AGE && iat < seconds + LEEWAY)) {
    throw refuse('The DPoP proof is too old, or from the future.')
  }
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > 255) throw refuse('The DPoP proof has no jti.')
  if (accessToken !== undefined && (typeof ath !== 'string' || !sameSecret(ath, sha256(accessToken)))) {
    throw refuse('The DPoP proof was made for another access token.')
  }
  const jkt = thumbprint(key)
  const use = { proof_hash: hashHandle(`${jkt}.${jti}`), expires_at: new Date((iat + MAX_AGE) * 1000) }
  const used = await database.once(environment.id, (tx) => store.useProof(tx, environment.id, use, now))
  if (used.length === 0) throw refuse('The DPoP proof was used before.')
  return jkt
}

/** Whether tokens for this API, or of this client, must be bound to a key. */
export function needsProof(client: Client, api: Pick<ResourceServer, 'proof_of_possession'> | undefined): boolean {
  if (client.require_proof_of_possession) return true
  const policy = api?.proof_of_possession
  if (!policy?.required) return false
  return policy.required_for !== 'public_clients' || client.token_endpoint_auth_method === 'none'
}

/** A public key on P-256 and nothing else: a private one would be everybody's, a secret is no proof. */
function keyOf(jwk: unknown): KeyObject {
  const { kty, crv, x, y, d } = (jwk ?? {}) as Record<string, unknown>
  if (kty !== 'EC' || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string' || d !== undefined) {
    throw refuse('The DPoP proof must hold its public key, on P-256, as jwk.')
  }
  try {
    return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
  } catch (cause) {
    throw problems.invalid_dpop_proof({ facts: { reason: 'The jwk of the DPoP proof is no key.' }, cause })
  }
}

const verifies = (key: KeyObject, signed: Buffer, signature: Buffer): Promise<boolean> =>
  new Promise((resolve) => {
    verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature, (error, valid) => resolve(!error && valid))
  })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** From the key as it was understood, so that one key has one thumbprint however it was written. */
function thumbprint(key: KeyObject): string {
  const { crv, kty, x, y } = key.export({ format: 'jwk' }) as JsonWebKey
  return sha256(JSON.stringify({ crv, kty, x, y }))
}

/** RFC 9449 §4.3: without query and fragment, after normalisation. */
function isSameAddress(htu: unknown, expected: string): boolean {
  const url = typeof htu === 'string' ? URL.parse(htu) : null
  return url !== null && url.origin + url.pathname === expected && url.username === '' && url.password === ''
}
