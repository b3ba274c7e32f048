/**
 * Why a JWT authorizer refuses, and the words it says so with. The texts marked unconfirmed have not been observed on
 * AWS; they live here alone so that an observation corrects them in one place.
 */
export interface Refusal {
  readonly status: 401 | 403
  /** Value of `www-authenticate`, or `null` when none is sent. */
  readonly challenge: string | null
  /** `$context.authorizer.error`, for the access log. */
  readonly error: string
}

const texts = {
  segments: { text: 'token contains an invalid number of segments', confirmed: true },
  malformed: { text: 'token is malformed', confirmed: false },
  issuer: { text: 'issuer does not match', confirmed: false },
  audience: { text: 'the token does not have a valid audience', confirmed: true },
  expired: { text: 'the token has expired', confirmed: false },
  not_yet_valid: { text: 'the token is not valid yet', confirmed: false },
  issued_in_future: { text: 'the token was issued in the future', confirmed: false },
  signature: { text: 'the token signature is invalid', confirmed: false },
  key_missing: { text: 'the token header does not have a key id', confirmed: false },
  key_unknown: { text: 'unable to find a key that matches the key id of the token', confirmed: false },
  discovery: { text: 'OIDC discovery endpoint communication error', confirmed: true },
  key_set: { text: 'JWKS communication error', confirmed: true },
} as const

export type RefusalReason = keyof typeof texts

// The parameters are separated by spaces, which is not RFC 7235's grammar but what AWS sends and clients match.
const invalidToken = (text: string): Refusal => ({
  status: 401,
  challenge: `Bearer scope="" error="invalid_token" error_description="${text}"`,
  error: `invalid_token: ${text}`,
})

export const refusals: Readonly<Record<RefusalReason, Refusal>> = Object.freeze(
  Object.fromEntries(Object.entries(texts).map(([reason, { text }]) => [reason, invalidToken(text)])) as Record<
    RefusalReason,
    Refusal
  >,
)

export const tokenMissing: Refusal = { status: 401, challenge: 'Bearer', error: 'missing: token not provided' }

/** Two credentials in one request: whichever is checked, the upstream may use the other. */
export const tokenAmbiguous: Refusal = { ...refusals.malformed, error: 'invalid_token: the token was sent twice' }

export const scopeMissing: Refusal = { status: 403, challenge: null, error: 'insufficient_scope' }

// `alg` comes from the token, and this text goes into a header and a log: only a name's characters are repeated.
const algorithmName = /^[A-Za-z0-9+-]{1,32}$/

/** The refusal for an algorithm that is not RSA-based, naming it. */
export const algorithmRefused = (algorithm: unknown): Refusal =>
  typeof algorithm === 'string' && algorithmName.test(algorithm)
    ? invalidToken(`signing method ${algorithm} is invalid`)
    : refusals.malformed
