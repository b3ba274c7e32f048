/**
 * What this process holds of each tenant's limits: leased from the store ahead of the requests, so that a busy tenant
 * does not cost a write per request, and never more than the store has granted, so that all processes together keep to
 * the limit exactly. Who finds nothing left here waits for one round trip; all who wait share it.
 *
 * - A tenant that comes seldom leases what it uses. One that uses up its lease within a second gets twice as much ahead
 *   the next time, up to a twentieth of the limit. What nobody uses for a second goes back.
 * - A tenant that the store has refused is refused from memory until asking again can help, at most ten times a second:
 *   a flood costs neither the store nor the neighbours anything.
 * - A store that does not answer is away. Nobody waits for it then; `alone` says what is admitted meanwhile. Of quotas
 *   that is noted and settled when the store is back.
 */
import { randomUUID } from 'node:crypto'
import { withoutIdentity } from '../identity/context.ts'
import { type LimitStore, RENEW_SECONDS, type Wish } from './store.ts'
import type { Limit } from './tiers.ts'

export interface Ration {
  /** Takes so much. Asks the store only when there is not enough here. @throws StoreAway when policy is `closed` */
  take(cost: number, at: number): boolean | Promise<boolean>
  /** Returns what was taken: another limit refused the request, or, of concurrency, it has ended. */
  giveBack(cost: number): void
  /** When what was given back can be used by other processes too. */
  settled(): Promise<void>
  /** Whether so much would be refused without asking anybody. */
  isKnownEmpty(cost: number, at: number): boolean
  /** What is left, as far as it is known here. */
  left(at: number): number
  /** Milliseconds until so much can be there, perhaps `Infinity`. */
  retryAfter(cost: number, at: number): number
}

export interface Rations {
  of(tenantId: string, limit: Limit, period: string, endsAt: number): Ration
  /** Gives back what is held. */
  close(): Promise<void>
}

export interface RationDeps {
  readonly store: LimitStore
  readonly now: () => number
  /** `true`: while the store is away this process obeys rates and concurrency by itself. */
  readonly alone: boolean
  /** Told when the store goes away, with the reason, and when it is back, with `undefined`. */
  readonly onAway: (error: unknown) => void
  readonly patienceMs: number
}

/** The store is away, and that means no. */
export class StoreAway extends Error {}

const tickMs = 1_000
const askAgainMs = 100
const believeMs = 1_000
const sweepEverySeconds = 60
const wishesAtOnce = 500

interface Waiter {
  readonly cost: number
  readonly answer: (isGranted: boolean) => void
  readonly fail: (error: Error) => void
}

interface Held {
  readonly key: string
  readonly tenantId: string
  readonly period: string
  readonly endsAt: number
  limit: Limit
  /** Leased and free. */
  credit: number
  /** Only of concurrency: taken now. */
  inUse: number
  /** Admitted while the store was away, and not told it yet. */
  owed: number
  /** How much to lease ahead. */
  ahead: number
  waiting: Waiter[]
  known: number
  knownAt: number
  usedAt: number
  leasedAt: number
  afterFlight: (() => void)[]
  /** Only of rates, while the store is away. */
  own: { tokens: number; at: number } | undefined
}

export function createRations({ store, now, alone, onAway, patienceMs }: RationDeps): Rations {
  const all = new Map<string, { held: Held; ration: Ration }>()
  const asked = new Set<Held>()
  // Of this limiter, not of the store: two that share a store do not speak for each other.
  const holder = randomUUID()
  let isAway = false
  let flight: Promise<void> | undefined
  let isScheduled = false
  let isClosed = false
  let ticks = 0
  let isTicking = false

  const ask = (held: Held): void => {
    asked.add(held)
    schedule()
  }
  const schedule = (): void => {
    if (isScheduled || flight || isAway || asked.size === 0) return
    isScheduled = true
    // Whoever asks in the same turn of the event loop travels along.
    withoutIdentity(() => setImmediate(fly))
  }
  const fly = (): void => {
    isScheduled = false
    if (flight || isAway) return
    const batch = [...asked].slice(0, wishesAtOnce)
    for (const held of batch) asked.delete(held)
    flight = settle(batch).finally(() => {
      flight = undefined
      schedule()
    })
  }

  const settle = async (batch: readonly Held[]): Promise<void> => {
    const departures = batch.map((held) => ({
      ...{ held, waiters: held.waiting.length, owed: held.owed },
      wish: wishOf(held, holder, now()),
    }))
    const done = batch.flatMap((held) => held.afterFlight.splice(0))
    try {
      const leases = await inTime(store.lease(departures.map(({ wish }) => wish)), patienceMs)
      const at = now()
      departures.forEach(({ held, waiters, owed }, n) => {
        const { granted, left } = leases[n]!
        held.owed -= owed
        held.credit += granted
        held.known = left
        held.knownAt = at
        if (granted > 0) held.leasedAt = at
        serve(held, waiters, at)
      })
    } catch (error) {
      // Whether it was carried out is unknown: what was owed is owed still, and nothing was granted.
      goAway(error)
      for (const { held } of departures) serveAlone(held)
    } finally {
      for (const resolve of done) resolve()
    }
  }

  /** Those who were waiting at departure get their answer; those who came meanwhile, only if it is there already. */
  const serve = (held: Held, departed: number, at: number): void => {
    const waiting = held.waiting
    held.waiting = []
    waiting.forEach((waiter, n) => {
      if (held.credit >= waiter.cost) {
        use(held, waiter.cost)
        waiter.answer(true)
      } else if (n < departed || isKnownEmpty(held, waiter.cost, at)) waiter.answer(false)
      else held.waiting.push(waiter)
    })
    if (held.waiting.length > 0) ask(held)
  }
  const use = (held: Held, cost: number): void => {
    held.credit -= cost
    if (held.limit.kind === 'concurrent') held.inUse += cost
  }

  const serveAlone = (held: Held): void => {
    for (const { cost, answer, fail } of held.waiting.splice(0)) {
      if (alone) answer(takeAlone(held, cost, now()))
      else fail(new StoreAway())
    }
  }
  const goAway = (error: unknown): void => {
    if (!isAway) onAway(error)
    isAway = true
    for (const held of asked) {
      serveAlone(held)
      for (const resolve of held.afterFlight.splice(0)) resolve()
    }
    asked.clear()
  }
  const comeBack = (): void => {
    isAway = false
    onAway(undefined)
    for (const { held } of all.values()) {
      held.own = undefined
      if (held.owed > 0 || held.inUse > 0 || held.waiting.length > 0) asked.add(held)
    }
    schedule()
  }

  const tick = async (): Promise<void> => {
    if (isTicking || isClosed) return
    isTicking = true
    ticks++
    try {
      const isDue = ticks % sweepEverySeconds === 0
      if (isAway || isDue) await inTime(store.sweep(), patienceMs)
      if (isAway) comeBack()
    } catch (error) {
      goAway(error)
    } finally {
      isTicking = false
    }
    if (!isAway) tidy(ticks % RENEW_SECONDS === 0)
  }
  /** Sends back what lies idle, renews slots, and forgets tenants of whom nothing is held. */
  const tidy = (isRenewal: boolean): void => {
    const at = now()
    for (const { held } of all.values()) {
      const isIdle = held.waiting.length === 0 && held.usedAt <= at - tickMs
      if (isIdle && held.credit + held.owed + held.inUse === 0 && !asked.has(held)) all.delete(held.key)
      else if ((isIdle && held.credit + held.owed > 0) || (isRenewal && held.inUse > 0)) asked.add(held)
    }
    schedule()
  }
  const ticking = withoutIdentity(() => setInterval(() => void tick(), tickMs).unref())

  const rationOf = (held: Held): Ration => ({
    take(cost, at) {
      held.usedAt = at
      if (cost > held.limit.size) return false
      if (held.waiting.length === 0 && held.credit >= cost) {
        use(held, cost)
        if (!isClosed && held.credit < held.ahead / 2 && estimate(held, at) >= 1) ask(held)
        return true
      }
      if (isAway) {
        if (alone) return takeAlone(held, cost, at)
        throw new StoreAway()
      }
      if (isKnownEmpty(held, cost, at)) return false
      return new Promise<boolean>((answer, fail) => {
        held.waiting.push({ cost, answer, fail })
        ask(held)
      })
    },
    giveBack(cost) {
      held.credit += cost
      if (held.limit.kind !== 'concurrent') return
      held.inUse -= cost
      if (held.waiting.length > 0 || held.credit > mostAhead(held.limit)) ask(held)
    },
    settled() {
      if (isAway || !asked.has(held)) return Promise.resolve()
      return new Promise((resolve) => held.afterFlight.push(resolve))
    },
    isKnownEmpty: (cost, at) => !isAway && held.credit < cost && isKnownEmpty(held, cost, at),
    left: (at) => Math.max(0, Math.floor(Math.min(held.limit.size, held.credit + estimate(held, at)))),
    retryAfter(cost, at) {
      const { kind, size, perSecond } = held.limit
      if (cost > size) return Number.POSITIVE_INFINITY
      if (kind === 'quota') return Math.max(0, held.endsAt - at)
      if (kind === 'concurrent') return tickMs
      const missing = cost - held.credit - estimate(held, at)
      return perSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(0, (missing / perSecond) * 1000)
    },
  })

  return {
    of(tenantId, limit, period, endsAt) {
      const key = `${limit.name}\0${period}\0${tenantId}`
      const known = all.get(key)
      if (known) {
        // The tenant may have changed its tier since.
        known.held.limit = limit
        return known.ration
      }
      const held = newlyHeld(key, tenantId, limit, period, endsAt)
      const ration = rationOf(held)
      all.set(key, { held, ration })
      return ration
    },
    async close() {
      isClosed = true
      clearInterval(ticking)
      while (isScheduled || flight) await (flight ?? new Promise((resolve) => setImmediate(resolve)))
      if (isAway) return
      const holding = [...all.values()].filter(({ held }) => held.credit + held.owed > 0)
      const wishes = holding.map(({ held }) => wishOf({ ...held, waiting: [], usedAt: 0 }, holder, now()))
      if (wishes.length > 0) await inTime(store.lease(wishes), patienceMs).catch(() => {})
    },
  }
}

const newlyHeld = (key: string, tenantId: string, limit: Limit, period: string, endsAt: number): Held => ({
  ...{ key, tenantId, limit, period, endsAt },
  ...{ credit: 0, inUse: 0, owed: 0, ahead: 0, waiting: [], afterFlight: [], own: undefined },
  ...{ known: 0, knownAt: Number.NEGATIVE_INFINITY, usedAt: 0, leasedAt: Number.NEGATIVE_INFINITY },
})

/** The most that is leased ahead, and may lie unused in each process for a second. */
const mostAhead = ({ size, perSecond }: Limit): number => Math.min(size, Math.floor(Math.max(size, perSecond) / 20))

/** What the store has by now. Of rates it fills again. */
function estimate({ limit, known, knownAt }: Held, at: number): number {
  if (knownAt === Number.NEGATIVE_INFINITY) return limit.size
  return Math.min(limit.size, known + (limit.perSecond * Math.max(0, at - knownAt)) / 1000)
}

/** The store has said recently that there is not so much, and it cannot be there yet. */
function isKnownEmpty(held: Held, cost: number, at: number): boolean {
  const age = at - held.knownAt
  if (age > believeMs || held.credit + held.known >= cost) return false
  // Others may give back at any time, so short is how long a refusal is believed.
  return age < askAgainMs || (held.limit.kind !== 'concurrent' && held.credit + estimate(held, at) < cost)
}

/** Decided by this process, as if there were no other. */
function takeAlone(held: Held, cost: number, at: number): boolean {
  const { kind, size, perSecond } = held.limit
  if (kind === 'quota') {
    held.owed += cost
    return true
  }
  if (kind === 'concurrent') {
    if (held.inUse + cost > size) return false
    held.inUse += cost
    held.credit = Math.max(0, held.credit - cost)
    return true
  }
  const { tokens, at: since } = held.own ?? { tokens: size, at }
  const refilled = Math.min(size, tokens + (perSecond * Math.max(0, at - since)) / 1000)
  held.own = { tokens: refilled >= cost ? refilled - cost : refilled, at }
  return refilled >= cost
}

/** What to ask the store for. What goes back is not used any more, whatever becomes of the statement. */
function wishOf(held: Held, holder: string, at: number): Wish {
  const { tenantId, limit, period, endsAt } = held
  const demand = held.waiting.reduce((sum, { cost }) => sum + cost, 0)
  const isIdle = demand === 0 && held.usedAt <= at - tickMs
  const isUsedUp = held.credit < Math.max(1, held.ahead / 2) && at - held.leasedAt < tickMs
  if (isIdle) held.ahead = 0
  else if (isUsedUp) held.ahead = Math.min(mostAhead(limit), Math.max(1, held.ahead * 2))
  const base = { tenantId, limit, period, endsAt, holder }
  if (limit.kind === 'concurrent') {
    const kept = isIdle ? 0 : Math.min(held.credit, Math.max(demand, mostAhead(limit)))
    held.credit = kept
    const wanted = isIdle ? 0 : Math.max(0, demand + (demand > 0 ? held.ahead : 0) - kept)
    return { ...base, used: held.inUse + kept, wanted }
  }
  if (isIdle) {
    const back = held.credit
    held.credit = 0
    return { ...base, used: held.owed - back, wanted: 0 }
  }
  return { ...base, used: held.owed, wanted: Math.max(0, demand + held.ahead - held.credit) }
}

async function inTime<T>(work: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The store of limits gave no answer within ${patienceMs} ms.`)),
      patienceMs,
    )
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
