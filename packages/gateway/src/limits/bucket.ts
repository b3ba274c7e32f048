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
export const createBucket = (): Bucket => new LocalBucket()

// There are as many as tenants, so they share their functions, and a number that is a field is changed where it is.
class LocalBucket implements Bucket {
  #tokens = Number.POSITIVE_INFINITY
  #at = 0
  #last: Rate | null = null

  take(rate: Rate, now: number): number {
    this.#tokens = refilled(this.#tokens, rate, now - this.#at)
    this.#at = now
    this.#last = rate
    if (this.#tokens < 1) return untilToken(this.#tokens, rate)
    this.#tokens--
    return 0
  }

  giveBack(): void {
    this.#tokens++
  }

  level(rate: Rate, now: number): number {
    return refilled(this.#tokens, rate, now - this.#at)
  }

  isFull(now: number): boolean {
    return this.#last === null || refilled(this.#tokens, this.#last, now - this.#at) >= this.#last.burst
  }
}
