/**
 * Tokens that stop counting before they expire. A signature says what was true when it was made; whether a customer has
 * been suspended since is asked of the issuer every two seconds.
 */
import { followSuspensions } from '@tenantry/kernel/suspensions.ts'
import type { Logger } from 'pino'
import { answers } from '../answers.ts'
import type { Refusal } from './authorizer.ts'
import { requireTrustworthy } from './discovery.ts'
import type { FetchJson } from './fetch-json.ts'

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
  const { issuer, url, credentials } = source
  const { fetchJson, now, logger, policy = defaultPolicy } = deps
  requireTrustworthy(url)
  requireTrustworthy(credentials.tokenUrl)
  let complainedAt = Number.NEGATIVE_INFINITY

  const feed = followSuspensions({
    url,
    credentials,
    ask: (address, request) => fetchJson(address, { ...fetching, ...request }),
    now,
    pollMilliseconds: policy.pollMs,
    onKnown: () => {
      if (complainedAt === Number.NEGATIVE_INFINITY) return
      complainedAt = Number.NEGATIVE_INFINITY
      logger.info({ issuer, suspended: feed.size }, 'suspensions are known again')
    },
    onFault: (err) => {
      const age = feed.age()
      if (age < policy.staleAfterMs || now() - complainedAt < complainEveryMs) return
      complainedAt = now()
      const seconds = Number.isFinite(age) ? Math.round(age / 1000) : null
      const consequence =
        age < policy.closedAfterMs
          ? 'organizations suspended since are still served'
          : 'tokens for organizations are refused with 503'
      logger.error({ issuer, seconds, err }, `suspensions are not known: ${consequence}`)
    },
  })
  return {
    issuer,
    ready: feed.ready,
    close: feed.close,
    check: ({ org_id: organization }) => {
      if (organization === undefined) return null
      if (feed.age() > policy.closedAfterMs) return unknown
      return typeof organization === 'string' && !feed.has(organization) ? null : suspended
    },
  }
}
