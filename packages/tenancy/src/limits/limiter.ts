/**
 * What a tenant may use at most, over all processes: requests by time, by day and month, and at once. The tenant and its
 * tier come from the SaaS identity; there is no argument to name another. Isolation is a matter of its own: these limits
 * keep one tenant from being a burden to the others, not from seeing them.
 */
import { currentIdentity } from '../identity/context.ts'
import { createRations, type Ration, StoreAway } from './rations.ts'
import { type LimitRefusalCode, LimitRefused } from './refusal.ts'
import type { LimitStore } from './store.ts'
import { compileTiers, type Limit, periodOf, type Tiers } from './tiers.ts'

export interface LimiterOptions {
  /** `postgresLimits(sql)` or `redisLimits(client)`: what all processes share. */
  store: LimitStore
  /** What each tier allows. A tier that is not here is refused. */
  tiers: Tiers
  /** The tier of identities that name none. Without it they are refused. */
  defaultTier?: string
  /**
   * While the store does not answer: `open` (the default), each process obeys rates and concurrency by itself, so `n`
   * processes admit up to `n` times as much, and quotas are settled afterwards; or `closed`, nobody is admitted (503).
   */
  whenStoreIsAway?: 'open' | 'closed'
  /** How long a request waits for the store before it counts as away, in ms (1000). */
  patienceMilliseconds?: number
  /** Told once when the store goes away and once when it is back; written to standard error if left out. */
  log?: (event: LimiterEvent) => void
  /** Milliseconds since 1970; decides in which day and month a request falls. */
  now?: () => number
}

export interface LimiterEvent {
  level: 'error' | 'info'
  message: string
  error?: unknown
}

export interface Admission {
  /** `ratelimit` and `ratelimit-policy` for the answer (draft-ietf-httpapi-ratelimit-headers); none without limits. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * The work is done: frees its place. Call it exactly when it ends, whether well or not; a second call does nothing.
   * Resolves when the place can be used by all processes, and never rejects.
   */
  leave(): Promise<void>
}

export interface Limiter {
  /**
   * Admits one piece of work of the tenant for which this runs.
   * @param cost how much it counts against rate and quota: a whole number, 1 or more. Concurrency counts it as one.
   * @throws LimitRefused `rate_exceeded`, `quota_exceeded`, `concurrency_exceeded` (429), `tier_unknown` (403) or
   *   `limits_unavailable` (503); `refusalAnswer` makes an HTTP answer of it
   * @throws IdentityMissing where nobody’s identity is known
   */
  enter(cost?: number): Promise<Admission>
  /** `enter`, `work`, `leave`. @throws as `enter`, and whatever `work` throws */
  run<T>(work: () => T | Promise<T>, cost?: number): Promise<T>
  /** Gives back what this process has leased ahead. */
  close(): Promise<void>
}

const CODES: Record<Limit['kind'], LimitRefusalCode> = {
  rate: 'rate_exceeded',
  quota: 'quota_exceeded',
  concurrent: 'concurrency_exceeded',
}
const MESSAGES: Record<Limit['kind'], string> = {
  rate: 'Too many requests. Try again later.',
  quota: 'The quota of this period is used up.',
  concurrent: 'Too many requests at the same time. Try again when one has ended.',
}

/**
 * @throws Error for tiers that cannot be obeyed
 * @example
 * const limiter = createLimiter({
 *   store: postgresLimits(postgres(limitsUrl)),
 *   tiers: {
 *     basic: { rate: { perSecond: 50, burst: 100 }, quota: { day: 1_000 }, concurrent: 5 },
 *     platinum: {}, // unlimited, on purpose
 *   },
 * })
 * await withIdentity(identity, () => limiter.run(() => database.inTenant(listItems)))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 * await withIdentity(identity, () => limiter.enter(101)) // throws LimitRefused 'rate_exceeded'
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const { store, defaultTier, log = logLoudly, now = Date.now } = options
  const tiers = compileTiers(options.tiers)
  if (defaultTier !== undefined && !tiers.has(defaultTier)) {
    throw new Error(`The default tier ${defaultTier} is not among the tiers: ${[...tiers.keys()].join(', ')}.`)
  }
  const isOpen = (options.whenStoreIsAway ?? 'open') === 'open'
  const rations = createRations({
    ...{ store, now, alone: isOpen, patienceMs: options.patienceMilliseconds ?? 1_000 },
    onAway: (error) => log(awayEvent(error, isOpen)),
  })
  const limitsOf = (tier: string | undefined): readonly Limit[] => {
    const limits = tier === undefined ? undefined : tiers.get(tier)
    if (limits) return limits
    throw new LimitRefused('tier_unknown', 'The tenant has no plan that is known here.')
  }

  async function enter(cost = 1): Promise<Admission> {
    if (!Number.isSafeInteger(cost) || cost < 1)
      throw new Error(`The cost is ${cost}; it is a whole number, 1 or more.`)
    const identity = currentIdentity()
    const at = now()
    const places = limitsOf(identity.tier ?? defaultTier).map((limit) => {
      const { period, endsAt } =
        limit.name === 'day' || limit.name === 'month' ? periodOf(limit.name, at) : { period: '', endsAt: 0 }
      const ration = rations.of(identity.tenantId, limit, period, endsAt)
      return { limit, ration, cost: limit.kind === 'concurrent' ? 1 : cost }
    })
    // Before anything is taken: a flood of refused requests must not take and return what others of the tenant need.
    const empty = places.find((place) => place.ration.isKnownEmpty(place.cost, at))
    if (empty) throw refusal(empty, places, at)
    const taken = await Promise.allSettled(places.map(async (place) => place.ration.take(place.cost, at)))
    const isTaken = (n: number) => taken[n]?.status === 'fulfilled' && taken[n].value
    const failed = places.findIndex((_, n) => !isTaken(n))
    if (failed >= 0) {
      places.forEach((place, n) => {
        if (isTaken(n)) place.ration.giveBack(place.cost)
      })
      const error = taken.find((outcome) => outcome.status === 'rejected')?.reason
      if (error instanceof StoreAway) throw unavailable()
      if (error) throw error
      throw refusal(places[failed]!, places, now())
    }
    let hasLeft = false
    return {
      headers: rateLimitFields(places, at),
      async leave() {
        if (hasLeft) return
        hasLeft = true
        for (const { limit, ration } of places) {
          if (limit.kind !== 'concurrent') continue
          ration.giveBack(1)
          await ration.settled()
        }
      },
    }
  }
  return {
    enter,
    async run(work, cost) {
      const admission = await enter(cost)
      try {
        return await work()
      } finally {
        await admission.leave()
      }
    },
    close: () => rations.close(),
  }
}

interface Place {
  limit: Limit
  ration: Ration
  cost: number
}

function refusal({ limit, ration, cost }: Place, places: readonly Place[], at: number): LimitRefused {
  const wait = ration.retryAfter(cost, at)
  // Without a moment at which coming back helps there is none to name.
  const retry: Record<string, string> = Number.isFinite(wait)
    ? { 'retry-after': String(Math.max(1, Math.ceil(wait / 1000))) }
    : {}
  return new LimitRefused(CODES[limit.kind], MESSAGES[limit.kind], {
    headers: { ...retry, ...rateLimitFields(places, at) },
  })
}

const unavailable = () =>
  new LimitRefused('limits_unavailable', 'The limits cannot be checked at the moment.', {
    headers: { 'retry-after': '1' },
  })

/** Structured fields (RFC 9651): `q` quota, `w` window in seconds, `r` remaining, `t` seconds until it is whole again. */
function rateLimitFields(places: readonly Place[], at: number): Record<string, string> {
  const counted = places.filter(({ limit }) => limit.kind !== 'concurrent')
  if (counted.length === 0) return {}
  const policies = counted.map(({ limit }) => {
    const window = windowSeconds(limit)
    return `"${limit.name}";q=${limit.size}${window === undefined ? '' : `;w=${window}`}`
  })
  const states = counted.map(({ limit, ration }) => {
    const wait = ration.retryAfter(limit.size, at)
    const reset = Number.isFinite(wait) ? `;t=${Math.ceil(wait / 1000)}` : ''
    return `"${limit.name}";r=${ration.left(at)}${reset}`
  })
  return { 'ratelimit-policy': policies.join(', '), ratelimit: states.join(', ') }
}

function windowSeconds({ name, size, perSecond }: Limit): number | undefined {
  if (name === 'day') return 86_400
  // A month has no one length in seconds.
  return perSecond > 0 ? Math.max(1, Math.ceil(size / perSecond)) : undefined
}

const awayEvent = (error: unknown, isOpen: boolean): LimiterEvent =>
  error === undefined
    ? { level: 'info', message: 'The store of limits answers again; limits hold over all processes.' }
    : {
        level: 'error',
        message: isOpen
          ? 'The store of limits does not answer. Each process limits by itself until it does: tenants may use a multiple of their limits.'
          : 'The store of limits does not answer. Requests of limited tenants are refused until it does.',
        error,
      }

function logLoudly({ level, message, error }: LimiterEvent): void {
  if (level === 'error') console.error(`tenancy limits: ${message}`, error)
  else console.error(`tenancy limits: ${message}`)
}
