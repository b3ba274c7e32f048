/**
 * How often a client may call the Management API. One bucket per environment and client, whatever the path, its spelling
 * or the number of tokens: another path is no way around (N140). Counted in each process: several processes admit that
 * many times the rate, and no request waits for a counter elsewhere.
 */
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

export const problems = defineProblems({
  too_many_requests: {
    status: 429,
    title: 'Too many requests: this client may send {limit} in {seconds} seconds. Wait, then go on.',
  },
})

export interface RateLimit {
  requests: number
  seconds: number
}

export const DEFAULT_RATE: RateLimit = { requests: 6000, seconds: 60 }

export interface Admission {
  admitted: boolean
  /** True for the first refusal of a window. */
  isFirstRefusal: boolean
  headers: Record<string, string>
  retryAfter: number
}

export const RATE_HEADERS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']

export function createRateLimit({ rate, clock }: { rate: RateLimit; clock: Clock }) {
  const limiter = new RateLimiterMemory({ points: rate.requests, duration: rate.seconds })
  return async (environmentId: string, client: string): Promise<Admission> => {
    const result = await limiter.consume(JSON.stringify([environmentId, client])).catch((refused: unknown) => {
      if (refused instanceof RateLimiterRes) return refused
      throw refused
    })
    const admitted = result.consumedPoints <= rate.requests
    const seconds = Math.ceil(result.msBeforeNext / 1000)
    return {
      admitted,
      isFirstRefusal: result.consumedPoints === rate.requests + 1,
      retryAfter: seconds,
      headers: {
        'x-ratelimit-limit': String(rate.requests),
        'x-ratelimit-remaining': String(Math.max(0, result.remainingPoints)),
        'x-ratelimit-reset': String(epochSeconds(clock.now()) + seconds),
      },
    }
  }
}
