import type { Limit } from './tiers.ts'

/** Where all processes keep their limits together. Each wish is settled atomically, by the store’s own clock. */
export interface LimitStore {
  /** Settles and grants in one round trip, for any number of tenants. Answers in the order of the wishes. */
  lease(wishes: readonly Wish[]): Promise<readonly Lease[]>
  /** Removes what says nothing any more: full buckets, ended periods, slots of dead processes. */
  sweep(): Promise<void>
}

export interface Wish {
  readonly tenantId: string
  readonly limit: Limit
  /** Of quotas: the period, and its end in ms since 1970. Else `''` and 0. */
  readonly period: string
  readonly endsAt: number
  /**
   * Of rates and quotas: used without a lease, or, negative, given back. Of concurrency: all that this process holds,
   * so that repeating a wish repeats nothing.
   */
  readonly used: number
  /** Who wishes, unlike anybody else: whose places of concurrency they are. */
  readonly holder: string
  readonly wanted: number
}

export interface Lease {
  /** From 0 to what was wanted. */
  readonly granted: number
  /** What the store could still grant afterwards. */
  readonly left: number
}

/** A process renews the slots it holds every five seconds; those of one that died are free after this time. */
export const SLOT_SECONDS = 15
export const RENEW_SECONDS = 5
