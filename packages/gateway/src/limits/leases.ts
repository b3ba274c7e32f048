/**
 * One bucket for several processes. Each process takes tokens from the common bucket ahead of the requests that will
 * need them, a batch at a time and in the background: no request waits for the database.
 *
 * What that costs. A process that has run out may go into debt while its next lease is under way, up to its share of the
 * burst (the burst divided by the number of processes), as long as the common bucket had tokens when it was last heard
 * of; debts are paid with the lease, before anything new is granted. So within any time `t` all processes together admit
 * at most `2 × burst + perSecond × t` requests, and over a long time exactly the rate: the second burst is what processes
 * can use at once that have not heard yet that it is gone. Before a process has counted the others, in the first seconds
 * of its life, its share is the whole burst. Tokens that are held and not used go back after a second; until then the
 * others may miss them, at most a batch for each process: a tenth of the burst or of a second's tokens, whichever is
 * more, and at least one.
 *
 * While the database is away each process goes on with its share: the rate and the burst divided by the number of
 * processes that were last seen.
 */
import { type Bucket, createBucket, type Rate, refilled, untilToken } from './bucket.ts'

/** The common buckets, wherever they are kept. */
export interface SharedBuckets {
  /** Settles what each caller owes and grants what there is, up to what it wants. One round trip for all. */
  lease(wishes: readonly Wish[]): Promise<readonly Lease[]>
  /** Tells that this process is there. @returns how many are */
  announce(process: string): Promise<number>
  /** Tells that it is gone. */
  leave(process: string): Promise<void>
  /** Forgets buckets that are full again. */
  sweep(): Promise<void>
}

export interface Wish extends Rate {
  readonly name: string
  /** Tokens used already; negative: tokens given back. */
  readonly owed: number
  readonly wanted: number
}

export interface Lease {
  readonly name: string
  readonly granted: number
  /** What the common bucket holds now; negative when debts were larger than what it had. */
  readonly left: number
}

export interface LeaseDeps {
  readonly shared: SharedBuckets
  /** Names this process; unlike any other's. */
  readonly process: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told when the database goes away, with the reason, and when it is back, with `null`. */
  readonly onAway: (error: unknown, processes: number) => void
}

export interface Leases {
  bucket(name: string): Bucket
  /** Gives back what is held. */
  close(): Promise<void>
}

const flushMs = 10
const tickMs = 1_000
const announceEvery = 5
const sweepEvery = 60
const wishesAtOnce = 1_000
// A server that does not answer is away too: the driver would wait for its connection, and requests for their tokens.
const patienceMs = 2_000

interface Held {
  readonly name: string
  rate: Rate
  /** Leased and unused; negative: used in advance. */
  credit: number
  /** What the common bucket held when it was last heard of. */
  known: number
  knownAt: number
  usedAt: number
  isWaiting: boolean
  /** Only while the database is away. */
  share: Bucket | null
}

export function createLeases({ shared, process, now, onAway }: LeaseDeps): Leases {
  const waiting = new Set<Held>()
  const holding = new Set<Held>()
  let isAway = false
  let processes = 1
  let flight: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let ticks = 0
  let isTicking = false
  let isClosed = false

  const setAway = (error: unknown): void => {
    const wasAway = isAway
    isAway = error !== null
    if (isAway !== wasAway) onAway(error, processes)
  }
  const schedule = (): void => {
    if (timer !== null || flight !== null || isAway || isClosed) return
    timer = setTimeout(flush, flushMs).unref()
  }
  const flush = (): void => {
    timer = null
    if (flight !== null || waiting.size === 0) return
    const batch = [...waiting].slice(0, wishesAtOnce)
    flight = settle(batch).finally(() => {
      flight = null
      if (waiting.size > 0) schedule()
    })
  }

  const settle = async (batch: readonly Held[]): Promise<void> => {
    const wishes = new Map<string, Wish>()
    for (const held of batch) {
      waiting.delete(held)
      const wish = wishOf(held, now())
      wishes.set(held.name, wish)
      // What goes back is not used any more, whatever becomes of the statement.
      held.credit += Math.min(0, wish.owed)
    }
    try {
      const leases = new Map((await inTime(shared.lease([...wishes.values()]))).map((lease) => [lease.name, lease]))
      for (const held of batch) {
        const { owed } = wishes.get(held.name)!
        const { granted, left } = leases.get(held.name)!
        held.credit += Math.max(0, owed) + granted
        held.known = left
        held.knownAt = now()
        held.isWaiting = false
        if (held.credit > 0) holding.add(held)
        else holding.delete(held)
        if (held.credit < 0) want(held)
      }
    } catch (error) {
      // Whether the statement was carried out is unknown: what was owed is owed still, and nothing was granted.
      for (const held of batch) {
        held.isWaiting = false
        held.credit = Math.min(0, held.credit)
        holding.delete(held)
      }
      setAway(error)
    }
  }
  const want = (held: Held): void => {
    if (held.isWaiting) return
    held.isWaiting = true
    waiting.add(held)
    schedule()
  }

  const tick = async (): Promise<void> => {
    if (isTicking) return
    isTicking = true
    const idle = now() - tickMs
    for (const held of holding) if (held.usedAt <= idle) want(held)
    try {
      // Those who begin together do not see each other the first time.
      if (isAway || ticks < 3 || ticks % announceEvery === 0) processes = await inTime(shared.announce(process))
      if (ticks % sweepEvery === sweepEvery - 1) await inTime(shared.sweep())
      ticks++
      setAway(null)
      if (waiting.size > 0) schedule()
    } catch (error) {
      setAway(error)
    } finally {
      isTicking = false
    }
  }
  const ticking = setInterval(() => void tick(), tickMs).unref()
  void tick()

  const estimate = (held: Held, at: number): number => refilled(held.known, held.rate, at - held.knownAt)

  const takeShare = (held: Held, rate: Rate, at: number): number => {
    held.share ??= createBucket()
    const part = { perSecond: rate.perSecond / processes, burst: Math.max(1, Math.floor(rate.burst / processes)) }
    return held.share.take(rate.burst === 0 ? rate : part, at)
  }

  return {
    bucket: (name) => {
      const held: Held = {
        name,
        rate: { perSecond: 0, burst: 0 },
        credit: 0,
        known: Number.POSITIVE_INFINITY,
        knownAt: 0,
        usedAt: 0,
        isWaiting: false,
        share: null,
      }
      return {
        take: (rate, at) => {
          held.rate = rate
          held.usedAt = at
          if (isAway) return takeShare(held, rate, at)
          held.share = null
          const batch = batchOf(rate)
          const share = Math.max(1, Math.ceil(rate.burst / processes))
          const there = estimate(held, at) + Math.min(0, held.credit)
          const mayTake = held.credit >= 1 || (held.credit - 1 >= -share && there >= 1)
          if (mayTake) held.credit--
          if (held.credit < 0 || (held.credit < batch / 2 && there >= 1)) want(held)
          return mayTake ? 0 : untilToken(Math.min(0.999, there), rate)
        },
        giveBack: () => {
          held.credit++
          if (held.credit > 0) holding.add(held)
        },
        level: (rate, at) => {
          if (isAway && held.share !== null) return held.share.level(rate, at)
          return Math.min(rate.burst, refilled(held.known, rate, at - held.knownAt)) + held.credit
        },
        isFull: (at) => !held.isWaiting && held.credit === 0 && estimate(held, at) >= held.rate.burst,
      }
    },
    close: async () => {
      isClosed = true
      clearInterval(ticking)
      if (timer !== null) clearTimeout(timer)
      await flight
      const rest = [...new Set([...holding, ...waiting])].filter(({ credit }) => credit !== 0)
      // Lost when the database is away; the bucket fills again by itself.
      if (isAway) return
      const wishes = rest.map((held) => ({ ...wishOf(held, now()), owed: -held.credit, wanted: 0 }))
      await Promise.allSettled([inTime(shared.lease(wishes)), inTime(shared.leave(process))])
    },
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs).unref()
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

const batchOf = ({ perSecond, burst }: Rate): number => Math.max(1, Math.ceil(Math.max(perSecond, burst) / 10))

/** What to ask for: debts first, then a full batch; or, where nobody asked for a while, everything back. */
function wishOf({ name, rate, credit, usedAt }: Held, at: number): Wish {
  const isIdle = usedAt <= at - tickMs
  if (isIdle) return { name, ...rate, owed: -credit, wanted: 0 }
  return { name, ...rate, owed: Math.max(0, -credit), wanted: Math.max(0, batchOf(rate) - Math.max(0, credit)) }
}
