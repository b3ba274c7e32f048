/** What is known of one of the two tenants: its token, its ids, what it holds, and the texts that only it may see. */
import type { Credential } from './exchange.ts'
import type { Random } from './random.ts'

/** Something that a tenant has, by the path under which it is found: slot `/projects/{}/tasks/{}`, values of both. */
export interface Held {
  slot: string
  values: readonly string[]
  /** Made in this run: only such things are written to and deleted. */
  made: boolean
  /** The markers in it. */
  markers: readonly string[]
  /** What was sent to make it, member by member. */
  sent?: unknown
}

export interface Tenant {
  side: 'a' | 'b'
  credential: Credential
  token: string
  /** By which the tenant itself is named: its id, slug, organization. */
  ids: string[]
  held: Held[]
  markers: Set<string>
  /** Ids and texts of records, as the API has answered them. */
  learned: Set<string>
  /** All texts that this tenant has been shown. */
  seen: Set<string>
  mark(): string
}

export function createTenant(
  side: 'a' | 'b',
  token: string,
  random: Random,
  given: { ids: readonly string[] },
): Tenant {
  const markers = new Set<string>()
  return {
    side,
    token,
    credential: {
      name: `tenant ${side.toUpperCase()}`,
      variable: `TOKEN_${side.toUpperCase()}`,
      authorization: `Bearer ${token}`,
    },
    ids: [...new Set([...given.ids, ...tenantClaims(token)])],
    held: [],
    markers,
    learned: new Set(),
    seen: new Set(),
    mark() {
      const marker = `tp${side}${random.text(10)}`
      markers.add(marker)
      return marker
    },
  }
}

const TENANT_WORD = /tenant|org|account|workspace|company|customer|team/i

/** Claims of a JWT that name a tenant. The token is only read: whether it is genuine is the API's business. */
export function tenantClaims(token: string): string[] {
  return Object.entries(claimsOf(token) ?? {})
    .filter(
      ([name, value]) =>
        TENANT_WORD.test(name.replace(/^https?:\/\/[^/]*\//, '')) && typeof value === 'string' && value !== '',
    )
    .map(([, value]) => value as string)
}

export function claimsOf(token: string): Record<string, unknown> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const DATE = /^\d{4}-\d{2}-\d{2}/
const CHANGING = /cursor|next|prev|etag|token|request_?id|trace|_?at$|date|time/i

/** Words such as `in_progress` come and go with time; ids, addresses and sentences do not. */
const telling = (text: string): boolean => /[\d@]/.test(text) || (/\s/.test(text) && text.length >= 16)

/** Texts of an answer that could tell tenants apart: long enough, no dates, no counters, nothing that changes by itself. */
export function tellingTexts(json: unknown, name = '', found: string[] = []): string[] {
  if (typeof json === 'string') {
    if (json.length >= 8 && json.length <= 400 && !DATE.test(json) && !CHANGING.test(name) && telling(json))
      found.push(json)
  } else if (Array.isArray(json)) for (const one of json) tellingTexts(one, name, found)
  else if (typeof json === 'object' && json !== null) {
    for (const [member, one] of Object.entries(json)) tellingTexts(one, member, found)
  }
  return found
}

/** What `victim` alone may see: its markers, its own names, and what it was shown and `other` never was. */
export function secretsOf(victim: Tenant, other: Tenant, constants: ReadonlySet<string>): string[] {
  const learned = [...victim.learned].filter(
    (text) => !other.seen.has(text) && !other.learned.has(text) && !constants.has(text),
  )
  const names = victim.ids.filter((id) => id.length >= 6 && !other.ids.includes(id) && !constants.has(id))
  return [...new Set([...victim.markers, ...learned, ...names])]
}
