/**
 * Signatures of tokens. AWS accepts the first three; the others are for authorizers that list them. A key is only ever
 * used with an algorithm that fits its type and curve, and that its JWK does not exclude: what the token's header says
 * chooses among those and can add none (RFC 8725 §3.1).
 */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Algorithm } from '../api.ts'

export const awsAlgorithms: readonly Algorithm[] = ['RS256', 'RS384', 'RS512']

interface Method {
  readonly kty: 'RSA' | 'EC' | 'OKP'
  readonly crv?: string
  /** `null`: the scheme has its own. */
  readonly hash: string | null
  readonly options?: object
}

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
// JOSE's signatures are the two numbers side by side, not DER (RFC 7518 §3.4).
const sideBySide = { dsaEncoding: 'ieee-p1363' }

const methods: Readonly<Record<Algorithm, Method>> = {
  RS256: { kty: 'RSA', hash: 'sha256' },
  RS384: { kty: 'RSA', hash: 'sha384' },
  RS512: { kty: 'RSA', hash: 'sha512' },
  PS256: { kty: 'RSA', hash: 'sha256', options: pss },
  PS384: { kty: 'RSA', hash: 'sha384', options: pss },
  PS512: { kty: 'RSA', hash: 'sha512', options: pss },
  ES256: { kty: 'EC', crv: 'P-256', hash: 'sha256', options: sideBySide },
  ES384: { kty: 'EC', crv: 'P-384', hash: 'sha384', options: sideBySide },
  ES512: { kty: 'EC', crv: 'P-521', hash: 'sha512', options: sideBySide },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', hash: null },
}

export const algorithms = Object.keys(methods) as readonly Algorithm[]

export const isAlgorithm = (value: unknown): value is Algorithm =>
  typeof value === 'string' && Object.hasOwn(methods, value)

export interface SigningKey {
  readonly key: KeyObject
  readonly algorithms: ReadonlySet<Algorithm>
}

/** Whether the signature is this key's, made with an algorithm that fits it. */
export function isSignedWith(
  { key, algorithms: fitting }: SigningKey,
  algorithm: Algorithm,
  signed: Buffer,
  signature: Buffer,
): boolean {
  if (!fitting.has(algorithm)) return false
  const { hash, options } = methods[algorithm]
  return verify(hash, signed, options === undefined ? key : { key, ...options }, signature)
}

const shortestRsaBits = 2048

/** Imports the public part of a JWK, or returns `null` for one that none of the algorithms could use. */
export function importKey(jwk: Readonly<Record<string, unknown>>, accepted: readonly Algorithm[]): SigningKey | null {
  const fitting = accepted.filter((algorithm) => fits(jwk, algorithm))
  if (fitting.length === 0) return null
  // Never more than the public members, whatever else an issuer has let slip into its set.
  const { kty, n, e, crv, x, y } = jwk as Record<string, string>
  const members = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }
  try {
    const key = createPublicKey({ key: members, format: 'jwk' })
    const isShort = kty === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < shortestRsaBits
    return isShort ? null : { key, algorithms: new Set(fitting) }
  } catch {
    return null
  }
}

function fits({ kty, crv, use, alg }: Readonly<Record<string, unknown>>, algorithm: Algorithm): boolean {
  const method = methods[algorithm]
  if (kty !== method.kty || (use !== undefined && use !== 'sig')) return false
  if (method.crv !== undefined && crv !== method.crv) return false
  if (alg === undefined || alg === algorithm) return true
  // AWS was not seen to tell the three apart: a key marked RS256 verifies RS512 as well. `Ed25519` is RFC 9864's name.
  if (awsAlgorithms.includes(algorithm)) return awsAlgorithms.some((known) => known === alg)
  return algorithm === 'EdDSA' && alg === 'Ed25519'
}
