/**
 * The public keys of one issuer, found through its discovery document and kept in memory.
 *
 * - One fetch serves any number of tokens; concurrent callers share it.
 * - An unknown key id makes the set look again (the issuer may have rotated), but never more often than the cooldown,
 *   so a flood of invented key ids does not become a flood of requests to the issuer.
 * - Keys older than `freshSeconds` are renewed in the background while they still serve. Keys older than `maxAgeSeconds`
 *   serve nobody: an issuer that cannot be reached cannot have revoked anything either.
 * - Redirects are refused and answers are bounded, so a hijacked path at the issuer can neither point elsewhere nor
 *   exhaust memory.
 */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { TokenRefused } from '../refusal.ts'

export type KeyFinder = ReturnType<typeof createLocalJWKSet>

export interface KeySetOptions {
  issuer: string
  now: () => Date
  fetch: typeof fetch
  freshSeconds: number
  maxAgeSeconds: number
  cooldownSeconds: number
  timeoutMilliseconds: number
  /** The issuer publishes other keys than before: what was verified with the old ones may not be true any more. */
  onChanged?: () => void
}

export interface KeySet {
  /** The keys to verify with. @throws TokenRefused `keys_unavailable` */
  current(): Promise<KeyFinder>
  /** Newer keys after a key id was not found, or undefined when it is too early to ask again. */
  renewed(): Promise<KeyFinder | undefined>
  /** Whether there are keys within their maximum age; starts a renewal in the background when they are getting old. */
  areCurrent(): boolean
}

const MAX_BYTES = 150_000
/** After a failed fetch: long enough to spare an issuer that is down, short enough for one that is starting. */
const RETRY_SECONDS = 1

export function createKeySet(options: KeySetOptions): KeySet {
  let keys: { find: KeyFinder; at: number; text: string } | undefined
  let pending: Promise<KeyFinder> | undefined
  let failed: { at: number; error: unknown } | undefined
  const seconds = () => options.now().getTime() / 1000

  const load = (): Promise<KeyFinder> => {
    pending ??= fetchKeys(options)
      .then(({ find, text }) => {
        const changed = keys !== undefined && keys.text !== text
        keys = { find, at: seconds(), text }
        failed = undefined
        if (changed) options.onChanged?.()
        return find
      })
      .catch((error: unknown) => {
        failed = { at: seconds(), error }
        throw unavailable(options.issuer, error)
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }
  const resting = () => failed !== undefined && seconds() - failed.at < RETRY_SECONDS

  const areCurrent = () => {
    const age = keys ? seconds() - keys.at : Number.POSITIVE_INFINITY
    if (age >= options.maxAgeSeconds) return false
    if (age > options.freshSeconds && !resting()) void load().catch(() => {})
    return true
  }

  return {
    areCurrent,
    async current() {
      if (keys && areCurrent()) return keys.find
      if (resting()) throw unavailable(options.issuer, failed?.error)
      return load()
    },
    async renewed() {
      if (pending) return pending
      if (resting() || (keys && seconds() - keys.at < options.cooldownSeconds)) return undefined
      return load()
    },
  }
}

const unavailable = (issuer: string, cause: unknown) =>
  new TokenRefused('keys_unavailable', `The keys of ${issuer} are not available; no token can be verified.`, { cause })

async function fetchKeys(options: KeySetOptions): Promise<{ find: KeyFinder; text: string }> {
  // OpenID Connect Discovery 1.0, section 4: a trailing slash of the issuer is removed before the path is added.
  const discovery = await fetchJson(`${options.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, options)
  // Section 4.3: the document must speak for exactly the issuer that was asked, or another could lend it its keys.
  if (discovery.issuer !== options.issuer) {
    throw new Error(`The discovery document of ${options.issuer} names another issuer.`)
  }
  const uri = discovery.jwks_uri
  if (typeof uri !== 'string') throw new Error(`The discovery document of ${options.issuer} has no jwks_uri.`)
  if (options.issuer.startsWith('https:') && !uri.startsWith('https:')) {
    throw new Error(`The jwks_uri of ${options.issuer} is not https.`)
  }
  const keys = await fetchJson(uri, options)
  return { find: createLocalJWKSet(keys as unknown as JSONWebKeySet), text: JSON.stringify(keys) }
}

async function fetchJson(url: string, options: KeySetOptions): Promise<Record<string, unknown>> {
  const response = await options.fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(options.timeoutMilliseconds),
  })
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}.`)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} bytes.`)
    chunks.push(chunk)
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${url} is no JSON object.`)
  return value as Record<string, unknown>
}
