/**
 * Signing and verifying with an environment's keys. RS256 unless a client or an API asks for something else that an RSA
 * key can do: SPA clients refuse every other ID token.
 */

import { constants, createHmac, sign } from 'node:crypto'
import { decodeToken, MAX_TOKEN_LENGTH } from '@tenantry/kernel/jws.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { Keyring, SigningKey } from './keyring.ts'

export const problems = defineProblems({
  invalid_token: { status: 401, title: 'Invalid token' },
  expired_token: { status: 401, title: 'Expired token received for JSON Web Token validation' },
  invalid_signature: { status: 401, title: 'Invalid signature received for JSON Web Token validation' },
})

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What the environment's RSA keys can sign with (RFC 7518 §3.3, §3.5). */
export const KEY_ALGORITHMS = ['RS256', 'RS512', 'PS256'] as const
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number]

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }

/** Signs on the thread pool, so that the event loop goes on meanwhile (one RS256 signature is about 0.4 ms of CPU). */
export function signJwt(
  key: SigningKey,
  payload: Record<string, unknown>,
  typ = 'JWT',
  alg: KeyAlgorithm = key.alg,
): Promise<string> {
  const input = `${encode({ alg, typ, kid: key.kid })}.${encode(payload)}`
  const signer = alg === 'PS256' ? { key: key.privateKey, ...PSS } : key.privateKey
  return new Promise((resolve, reject) => {
    sign(alg === 'RS512' ? 'sha512' : 'sha256', Buffer.from(input), signer, (error, signature) =>
      error ? reject(error) : resolve(`${input}.${signature.toString('base64url')}`),
    )
  })
}

/** HS256: for the one client that knows the secret. */
export function signWithSecret(secret: Uint8Array, payload: Record<string, unknown>): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

export interface Expectation {
  issuers: string[]
  audiences: string[]
  now: Date
  /** The key that the sender has proven to hold (RFC 9449); nobody's when the token came as a Bearer token. */
  provenKey?: string | undefined
}

/**
 * A token that is bound to a key is worth nothing without it, and none is bound to a key after the fact (RFC 9449 §7.1).
 *
 * @throws Problem `invalid_token`
 */
export function requireBinding(payload: JWTPayload, provenKey: string | undefined): void {
  const { jkt } = (payload.cnf ?? {}) as { jkt?: unknown }
  const bound = payload.cnf === undefined ? undefined : jkt
  if (bound !== provenKey || (payload.cnf !== undefined && bound === undefined)) {
    throw problems.invalid_token({ internal: 'the token is bound to another key, or to none' })
  }
}

/** What jose lets pass: an expiry that is no date (`1e400` is read as infinity), a subject that is nobody. */
function requireSense({ exp, iat, sub, aud }: JWTPayload): void {
  const isText = (value: unknown) => typeof value === 'string'
  const isTime = (value: unknown) => typeof value === 'number' && !Number.isNaN(new Date(value * 1000).getTime())
  if (!isTime(exp) || !isTime(iat) || !isText(sub) || sub?.trim() === '' || ![aud].flat().every(isText)) {
    throw new errors.JWTInvalid('exp, iat, sub or aud makes no sense')
  }
}

/** @throws Problem `invalid_token`, `expired_token`, `invalid_signature` */
export async function verifyJwt(keyring: Keyring, token: string, expected: Expectation): Promise<JWTPayload> {
  // Read as gateway and kit read: of two members of one name, or two spellings of one token, neither counts.
  const decoded = token.length > MAX_TOKEN_LENGTH ? 'too long' : decodeToken(token)
  if (typeof decoded === 'string') throw problems.invalid_token({ internal: `the token is ${decoded}` })
  try {
    const { payload } = await jwtVerify(
      token,
      (header) => {
        const key = keyring.byKid.get(header.kid ?? '')
        if (!key) throw new errors.JWKSNoMatchingKey()
        return key.publicKey
      },
      {
        algorithms: [...KEY_ALGORITHMS],
        issuer: expected.issuers,
        audience: expected.audiences,
        currentDate: expected.now,
        requiredClaims: ['sub', 'exp', 'iat'],
      },
    )
    requireSense(payload)
    requireBinding(payload, expected.provenKey)
    return payload
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw problems.expired_token({ cause })
    if (cause instanceof errors.JWSSignatureVerificationFailed) throw problems.invalid_signature({ cause })
    throw problems.invalid_token({ cause })
  }
}
