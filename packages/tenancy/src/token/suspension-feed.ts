/**
 * The issuer's list of suspended organizations, asked for again and again. The whole list comes each time, so nothing can be
 * missed, and whoever was away knows all again with the first answer. Requests never wait for it: they look into a set.
 *
 * What follows from it, and from its age, is for those who follow: the kit's `createSuspensions`, and the gateway.
 */
import { setTimeout as wait } from 'node:timers/promises'

export interface SuspensionFeedOptions {
  /** The list's address. */
  url: string
  /** Of a machine's client that may read it. */
  credentials: { tokenUrl: string; clientId: string; clientSecret: string; audience: string; scope: string }
  /**
   * Asks an address of the issuer: by POST with the form, by GET without one.
   * @throws when there is no answer of status 200 with JSON; with a `status` where it was another one
   */
  ask(url: string, request: { form?: Record<string, string>; headers?: Record<string, string> }): Promise<unknown>
  /** Milliseconds since 1970. */
  now(): number
  pollMilliseconds: number
  onKnown?: () => void
  onFault?: (error: unknown) => void
}

export interface SuspensionFeed {
  has(organizationId: string): boolean
  /** Milliseconds since what is known was asked for: a slow answer is an old one. Infinity before the first. */
  age(): number
  /** The first complete list has come. */
  readonly ready: Promise<void>
  readonly size: number
  close(): void
}

/**
 * Begins to ask, and goes on until it is closed. For gateways and the like; services have `createSuspensions`.
 *
 * @example
 * const feed = followSuspensions({ url, credentials, ask, now: Date.now, pollMilliseconds: 2_000 })
 * await feed.ready
 * feed.has(organizationId) && feed.age() < 5_000 // → true
 */
export function followSuspensions(options: SuspensionFeedOptions): SuspensionFeed {
  const { now, pollMilliseconds } = options
  const readList = listReader(options)
  const stop = new AbortController()
  const first = Promise.withResolvers<void>()
  let suspended: ReadonlySet<string> = new Set()
  let askedFor = Number.NEGATIVE_INFINITY

  const poll = async () => {
    const askedAt = now()
    try {
      suspended = await readList()
      askedFor = askedAt
      first.resolve()
      options.onKnown?.()
    } catch (error) {
      options.onFault?.(error)
    }
  }
  const run = async () => {
    while (!stop.signal.aborted) {
      await poll()
      await wait(pollMilliseconds, undefined, { ref: false, signal: stop.signal }).catch(() => undefined)
    }
  }
  void run()

  return {
    has: (organizationId) => suspended.has(organizationId),
    age: () => now() - askedFor,
    ready: first.promise,
    get size() {
      return suspended.size
    },
    close: () => stop.abort(),
  }
}

/** Reads the whole list, page by page, with a token that is kept until the middle of its life. */
function listReader({ url: list, credentials, ask, now }: SuspensionFeedOptions): () => Promise<ReadonlySet<string>> {
  let token: { text: string; until: number } | undefined

  const bearer = async (): Promise<string> => {
    if (token && now() < token.until) return token.text
    const { tokenUrl, clientId, clientSecret, audience, scope } = credentials
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, audience, scope }
    const { access_token: text, expires_in: seconds } = object(await ask(tokenUrl, { form }), tokenUrl)
    if (typeof text !== 'string' || typeof seconds !== 'number') throw new Error(`${tokenUrl} answered no token.`)
    token = { text, until: now() + seconds * 500 }
    return text
  }
  const readPage = async (from: string) => {
    const page = `${list}?take=100${from === '' ? '' : `&from=${encodeURIComponent(from)}`}`
    const answer = object(await ask(page, { headers: { authorization: `Bearer ${await bearer()}` } }), list)
    if (!Array.isArray(answer.organizations)) throw new Error(`${list} answered no list.`)
    const ids = answer.organizations.map((row: unknown) => {
      const { id } = object(row, list)
      if (typeof id !== 'string') throw new Error(`${list} lists an organization without id.`)
      return id
    })
    return { ids, next: typeof answer.next === 'string' ? answer.next : '' }
  }
  return async () => {
    const found = new Set<string>()
    let from = ''
    try {
      do {
        const { ids, next } = await readPage(from)
        for (const id of ids) found.add(id)
        from = next
      } while (from !== '')
    } catch (error) {
      // The client, its secret or the issuer's keys may have changed: the next time asks with a new token.
      const { status } = error as { status?: unknown }
      if (status === 401 || status === 403) token = undefined
      throw error
    }
    return found
  }
}

function object(value: unknown, url: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new Error(`${url} answered no JSON object.`)
}
