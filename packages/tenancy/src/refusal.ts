/**
 * Why a caller is turned away. The code is stable and may be logged and asserted; the message is public and never
 * quotes the token, a claim's value or a key, because what is logged outlives what is valid.
 */
const STATUS = {
  token_missing: 401,
  token_malformed: 401,
  algorithm_refused: 401,
  type_refused: 401,
  critical_header_refused: 401,
  issuer_refused: 401,
  key_unknown: 401,
  signature_invalid: 401,
  audience_refused: 401,
  token_expired: 401,
  token_not_yet_valid: 401,
  token_too_old: 401,
  claim_invalid: 401,
  tenant_refused: 403,
  tenant_suspended: 403,
  scope_missing: 403,
  keys_unavailable: 503,
  suspensions_unknown: 503,
} as const

export type RefusalCode = keyof typeof STATUS

export class TokenRefused extends Error {
  readonly code: RefusalCode
  /** 401 for a token that is no good, 403 for a good one that is not enough, 503 when what decides is not known. */
  readonly status: 401 | 403 | 503
  /** The scopes that would have been enough; only with `scope_missing`. */
  readonly scopes: readonly string[]

  constructor(code: RefusalCode, message: string, options: { scopes?: readonly string[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TokenRefused'
    this.code = code
    this.status = STATUS[code]
    this.scopes = options.scopes ?? []
  }
}
