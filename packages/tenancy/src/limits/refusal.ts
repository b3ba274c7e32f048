const STATUS = {
  rate_exceeded: 429,
  quota_exceeded: 429,
  concurrency_exceeded: 429,
  tier_unknown: 403,
  limits_unavailable: 503,
} as const

export type LimitRefusalCode = keyof typeof STATUS

/**
 * Why a tenant’s request is not served although its token is good. `refusalAnswer` turns it into an HTTP answer; the
 * message is public.
 */
export class LimitRefused extends Error {
  readonly code: LimitRefusalCode
  /** 429 beyond a limit, 403 without a tier that is known here, 503 when nobody can tell and that means no. */
  readonly status: 429 | 403 | 503
  /** `retry-after` in seconds, where coming back helps, and the `ratelimit` fields of the limits. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: LimitRefusalCode,
    message: string,
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LimitRefused'
    this.code = code
    this.status = STATUS[code]
    this.headers = options.headers ?? {}
  }
}
