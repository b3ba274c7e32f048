/**
 * Which organizations are suspended, as the issuer says every two seconds. A signature says what was true when the token
 * was made; this says what has become of its organization since. The whole list comes each time, so nothing is missed,
 * and requests never wait: they look into a set.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { systemTime } from '../clock.ts'
import { TokenRefused } from '../refusal.ts'
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
 */
export function createSuspensions(options: SuspensionOptions): Suspensions {
  const { issuer, pollSeconds = 2, closedAfterSeconds = 5 } = options
  const now = options.now ?? systemTime
  const readList = listReader(options, () => now().getTime() / 1000)
  const stop = new AbortController()
  let suspended: ReadonlySet<string> = new Set()
  let knownAt = Number.NEGATIVE_INFINITY
  const first = Promise.withResolvers<void>()

  const poll = async () => {
    // Its age counts from the moment it was asked for: a slow answer is an old one.
    const askedAt = now().getTime()
    try {
      suspended = await readList()
      knownAt = askedAt
      first.resolve()
    } catch (error) {
      options.onFault?.(error)
    }
  }
  const run = async () => {
    while (!stop.signal.aborted) {
      await poll()
      await wait(pollSeconds * 1000, undefined, { ref: false, signal: stop.signal }).catch(() => undefined)
    }
  }
  void run()

  return {
    ready: first.promise,
    close: () => stop.abort(),
    check(token) {
      const organization = token.claims.org_id
      if (token.issuer !== issuer || organization === undefined) return
      if (now().getTime() - knownAt > closedAfterSeconds * 1000) {
        throw new TokenRefused('suspensions_unknown', 'Whether the organization is suspended is not known right now.')
      }
      if (typeof organization !== 'string' || suspended.has(organization)) {
        throw new TokenRefused('tenant_suspended', 'The organization is suspended.')
      }
    },
  }
}

/** Reads the whole list, page by page, with a token that is kept until the middle of its life. */
function listReader(options: SuspensionOptions, seconds: () => number): () => Promise<ReadonlySet<string>> {
  const base = options.issuer.replace(/\/$/, '')
  const { clientId, clientSecret, scope = 'read:organizations_summary', ...at } = options.credentials
  const { tokenUrl = `${base}/oauth/token`, audience = `${base}/api/v2/` } = at
  const list = options.url ?? `${base}/api/v2/suspended-organizations`
  let token: { text: string; until: number } | undefined

  const ask = async (url: string, init: RequestInit) => {
    const request = { ...init, redirect: 'error' as const, signal: AbortSignal.timeout(TIMEOUT_MS) }
    const response = await (options.fetch ?? globalThis.fetch)(url, request)
    if (response.status === 401 || response.status === 403) token = undefined
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}.`)
    const text = await response.text()
    if (text.length > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} characters.`)
    return object(JSON.parse(text), url)
  }
  const bearer = async () => {
    if (token && seconds() < token.until) return token.text
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, audience, scope }
    const answer = await ask(tokenUrl, { method: 'POST', body: new URLSearchParams(form) })
    const { access_token: text, expires_in: life } = answer
    if (typeof text !== 'string' || typeof life !== 'number') throw new Error(`${tokenUrl} answered no token.`)
    token = { text, until: seconds() + life / 2 }
    return text
  }

  return async () => {
    const found = new Set<string>()
    let from = ''
    do {
      const page = `${list}?take=100${from === '' ? '' : `&from=${encodeURIComponent(from)}`}`
      const { organizations, next } = await ask(page, { headers: { authorization: `Bearer ${await bearer()}` } })
      if (!Array.isArray(organizations)) throw new Error(`${list} answered no list.`)
      for (const row of organizations) {
        const { id } = object(row, list)
        if (typeof id !== 'string') throw new Error(`${list} lists an organization without id.`)
        found.add(id)
      }
      from = typeof next === 'string' ? next : ''
    } while (from !== '')
    return found
  }
}

function object(value: unknown, url: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new Error(`${url} answered no JSON object.`)
}
