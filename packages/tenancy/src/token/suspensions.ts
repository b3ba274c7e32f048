/**
 * Which organizations are suspended, as the issuer says every two seconds. A signature says what was true when the token
 * was made; this says what has become of its organization since.
 */
import { systemTime } from '../clock.ts'
import { TokenRefused } from '../refusal.ts'
import { followSuspensions } from './suspension-feed.ts'
import type { VerifiedToken } from './verifier.ts'

export interface SuspensionOptions {
  /** Whose tokens it tells about; compared with the token's issuer. */
  issuer: string
  /** The issuer's list; by default Tenantry's, `{issuer}api/v2/suspended-organizations`. */
  url?: string
  /** A machine's client with the scope `read:organizations_summary` on the Management API. */
  credentials: { clientId: string; clientSecret: string; tokenUrl?: string; audience?: string; scope?: string }
  /** Seconds between two questions (2). */
  pollSeconds?: number
  /**
   * From this age of the list on (5 seconds), callers of organizations are refused with 503: the bound within which a
   * suspension is felt. A larger one goes on serving while the issuer is down, suspended organizations too.
   */
  closedAfterSeconds?: number
  now?: () => Date
  fetch?: typeof fetch
  /** Told of each question that failed; the list then grows old. */
  onFault?: (error: unknown) => void
}

export interface Suspensions {
  /** @throws TokenRefused `tenant_suspended` (403), `suspensions_unknown` (503) */
  check(token: Pick<VerifiedToken, 'issuer' | 'claims'>): void
  /** The first complete list has come; until then callers of organizations are refused. */
  readonly ready: Promise<void>
  close(): void
}

const MAX_BYTES = 150_000
const TIMEOUT_MS = 1_500

/**
 * @example
 * const suspensions = createSuspensions({ issuer: 'https://login.example.com/', credentials: { clientId, clientSecret } })
 * await suspensions.ready
 * const authenticate = createAuthenticator({ verifier, suspensions, tenantClaim: 'https://example.com/tenantId' })
 * await authenticate(request.headers) // throws TokenRefused 'tenant_suspended'
 */
export function createSuspensions(options: SuspensionOptions): Suspensions {
  const { issuer, pollSeconds = 2, closedAfterSeconds = 5, now = systemTime, onFault } = options
  const base = issuer.replace(/\/$/, '')
  const { url = `${base}/api/v2/suspended-organizations` } = options
  const feed = followSuspensions({
    url,
    credentials: {
      tokenUrl: `${base}/oauth/token`,
      audience: `${base}/api/v2/`,
      scope: 'read:organizations_summary',
      ...options.credentials,
    },
    ask: askBy(options.fetch ?? globalThis.fetch),
    now: () => now().getTime(),
    pollMilliseconds: pollSeconds * 1000,
    ...(onFault ? { onFault } : {}),
  })
  return {
    ready: feed.ready,
    close: feed.close,
    check(token) {
      const organization = token.claims.org_id
      if (token.issuer !== issuer || organization === undefined) return
      if (feed.age() > closedAfterSeconds * 1000) {
        throw new TokenRefused('suspensions_unknown', 'Whether the organization is suspended is not known right now.')
      }
      if (typeof organization !== 'string' || feed.has(organization)) {
        throw new TokenRefused('tenant_suspended', 'The organization is suspended.')
      }
    },
  }
}

const askBy =
  (fetch: typeof globalThis.fetch) =>
  async (url: string, { form, headers = {} }: { form?: Record<string, string>; headers?: Record<string, string> }) => {
    const sent = form ? { method: 'POST', body: new URLSearchParams(form) } : {}
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const response = await fetch(url, { ...sent, headers, redirect: 'error', signal })
    if (response.status !== 200) {
      throw Object.assign(new Error(`${url} answered ${response.status}.`), { status: response.status })
    }
    const text = await response.text()
    if (text.length > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} characters.`)
    return JSON.parse(text) as unknown
  }
