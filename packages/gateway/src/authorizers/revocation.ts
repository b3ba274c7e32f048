/**
 * Tokens that stop counting before they expire. A signature says what was true when it was made; whether a customer has
 * been suspended since is asked of the issuer every two seconds, as a whole list each time: nothing can be missed, and
 * a gateway that was away knows all again with its first answer. Requests never wait for it, they look into a set.
 */
import type { Logger } from 'pino'
import { answers } from '../answers.ts'
import type { Refusal } from './authorizer.ts'
import { requireTrustworthy } from './discovery.ts'
import { type FetchJson, UnexpectedStatus } from './fetch-json.ts'

export interface RevocationSource {
  /** Whose tokens it tells about; compared with `iss`. */
  readonly issuer: string
  /** The issuer's list, `{issuer}api/v2/suspended-organizations`. */
  readonly url: string
  /** How the gateway gets a token for it (client credentials). */
  readonly credentials: {
    readonly tokenUrl: string
    readonly clientId: string
    readonly clientSecret: string
    readonly audience: string
    readonly scope: string
  }
}

/** How old what is known may be, in milliseconds. All ages count from the moment the answer was asked for. */
export interface RevocationPolicy {
  readonly pollMs: number
  /** From here on the log says that a suspension may go unnoticed; requests are answered from what is known. */
  readonly staleAfterMs: number
  /** From here on tokens for an organization are refused with 503, whatever organization it is. */
  readonly closedAfterMs: number
}

export const defaultPolicy: RevocationPolicy = { pollMs: 2_000, staleAfterMs: 5_000, closedAfterMs: 60_000 }

export interface Revocations {
  readonly issuer: string
  /** Refuses tokens whose `org_id` is suspended; `null`: the token counts. */
  check(claims: Readonly<Record<string, unknown>>): Refusal | null
  /** The first complete list has come. Until then tokens for organizations are refused. */
  readonly ready: Promise<void>
  close(): void
}

export interface RevocationDeps {
  readonly fetchJson: FetchJson
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly logger: Logger
  readonly policy?: RevocationPolicy
}

const suspended: Refusal = { answer: answers.suspended, challenge: null, error: 'the organization is suspended' }
const unknown: Refusal = {
  answer: answers.suspensionUnknown,
  challenge: null,
  error: 'which organizations are suspended has not been known for too long',
}

const fetching = { timeoutMs: 1_500, maxBytes: 150_000 } as const
const complainEveryMs = 10_000

/** @throws Error for an address that is neither https nor this machine's own */
export function createRevocations(source: RevocationSource, deps: RevocationDeps): Revocations {
  const { now, logger, policy = defaultPolicy } = deps
  requireTrustworthy(source.url)
  requireTrustworthy(source.credentials.tokenUrl)
  const readList = listReader(source, deps)
  let organizations: ReadonlySet<string> = new Set()
  let knownAt = Number.NEGATIVE_INFINITY
  let complainedAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | null = null
  let isClosed = false
  let first = (): void => undefined
  const ready = new Promise<void>((resolve) => {
    first = resolve
  })

  const complain = (error: unknown): void => {
    const age = now() - knownAt
    if (age < policy.staleAfterMs || now() - complainedAt < complainEveryMs) return
    complainedAt = now()
    const seconds = Number.isFinite(age) ? Math.round(age / 1000) : null
    const consequence =
      age < policy.closedAfterMs
        ? 'organizations suspended since are still served'
        : 'tokens for organizations are refused with 503'
    logger.error({ issuer: source.issuer, seconds, err: error }, `suspensions are not known: ${consequence}`)
  }

  const poll = async (): Promise<void> => {
    const askedAt = now()
    try {
      organizations = await readList()
      knownAt = askedAt
      if (complainedAt !== Number.NEGATIVE_INFINITY) {
        complainedAt = Number.NEGATIVE_INFINITY
        logger.info({ issuer: source.issuer, suspended: organizations.size }, 'suspensions are known again')
      }
      first()
    } catch (error) {
      complain(error)
    }
    if (!isClosed) timer = setTimeout(() => void poll(), policy.pollMs).unref()
  }
  void poll()

  return {
    issuer: source.issuer,
    ready,
    check: ({ org_id: organization }) => {
      if (organization === undefined) return null
      if (now() - knownAt > policy.closedAfterMs) return unknown
      return typeof organization === 'string' && !organizations.has(organization) ? null : suspended
    },
    close: () => {
      isClosed = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}

/** Reads the whole list, page by page, with a token that is kept until shortly before it ends. */
function listReader({ url, credentials }: RevocationSource, { fetchJson, now }: RevocationDeps) {
  let token: { readonly text: string; readonly until: number } | null = null

  const freshToken = async (): Promise<string> => {
    if (token !== null && now() < token.until) return token.text
    const { tokenUrl, clientId, clientSecret, audience, scope } = credentials
    const form = {
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      audience,
      scope,
    }
    const { access_token: text, expires_in: seconds } = object(
      await fetchJson(tokenUrl, { ...fetching, form }),
      tokenUrl,
    )
    if (typeof text !== 'string' || typeof seconds !== 'number') throw new Error(`${tokenUrl} answered no token`)
    token = { text, until: now() + seconds * 500 }
    return text
  }

  const readPage = async (from: string | null): Promise<{ ids: string[]; next: string | null }> => {
    const page = from === null ? `${url}?take=100` : `${url}?take=100&from=${encodeURIComponent(from)}`
    const headers = { authorization: `Bearer ${await freshToken()}` }
    const { organizations, next } = object(await fetchJson(page, { ...fetching, headers }), url)
    if (!Array.isArray(organizations)) throw new Error(`${url} answered no list`)
    const ids = organizations.map((row: unknown) => {
      const { id } = object(row, url)
      if (typeof id !== 'string') throw new Error(`${url} lists an organization without id`)
      return id
    })
    return { ids, next: typeof next === 'string' ? next : null }
  }

  return async (): Promise<ReadonlySet<string>> => {
    const found = new Set<string>()
    let from: string | null = null
    try {
      do {
        const { ids, next }: { ids: string[]; next: string | null } = await readPage(from)
        for (const id of ids) found.add(id)
        from = next
      } while (from !== null)
    } catch (error) {
      // The client, its secret or the issuer's keys may have changed: the next time asks with a new token.
      if (error instanceof UnexpectedStatus && (error.status === 401 || error.status === 403)) token = null
      throw error
    }
    return found
  }
}

function object(value: unknown, url: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new Error(`${url} answered no JSON object`)
}
