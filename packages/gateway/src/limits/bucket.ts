/**
 * Token buckets, as Amazon's throttling describes them: `burst` tokens at most, `perSecond` of them come back each
 * second, a request takes one. Times are the requests' own (`receivedAt`), so a decision reads no clock.
 */
export interface Rate {
  /** May be a fraction; 0: what is gone stays gone. */
  readonly perSecond: number
  readonly burst: number
}

export interface Bucket {
  /**
   * Takes a token. The rate may differ from that of the last time: what is in the bucket stays, up to the new burst.
   * @returns 0 when there was one; else the milliseconds until there is, perhaps `Infinity`
   */
  take(rate: Rate, now: number): number
  /** Undoes a `take`: another bucket refused the same request. */
  giveBack(): void
  /** Tokens there are, without taking any. */
  level(rate: Rate, now: number): number
  /** Whether it holds all it can: forgetting it and beginning anew makes no difference. */
  isFull(now: number): boolean
}

/** Milliseconds until a bucket with this much in it has a whole token. */
export const untilToken = (tokens: number, { perSecond, burst }: Rate): number =>
  tokens >= 1
    ? 0
    : perSecond === 0 || burst < 1
      ? Number.POSITIVE_INFINITY
      : Math.ceil(((1 - tokens) / perSecond) * 1000)

/** What `tokens` have become after some time. A clock that was set back takes nothing away. */
export const refilled = (tokens: number, { perSecond, burst }: Rate, ms: number): number =>
  Math.min(burst, ms > 0 ? tokens + (perSecond * ms) / 1000 : tokens)

/** A bucket of this process alone. It begins full. */
export function createBucket(): Bucket {
  let tokens = Number.POSITIVE_INFINITY
  let at = 0
  let last: Rate | null = null
  return {
    take: (rate, now) => {
      tokens = refilled(tokens, rate, now - at)
      at = now
      last = rate
      if (tokens < 1) return untilToken(tokens, rate)
      tokens--
      return 0
    },
    giveBack: () => {
      tokens++
    },
    level: (rate, now) => refilled(tokens, rate, now - at),
    isFull: (now) => last === null || refilled(tokens, last, now - at) >= last.burst,
  }
}
