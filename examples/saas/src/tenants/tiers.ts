/**
 * The plans, which are the tiers: how a tenant's rows are kept apart, and how much there may be. Data, not code: who
 * places a tenant, limits it or shows it what it has reads it here.
 */
import type { Model } from '@tenantry/tenancy'

export interface Tier {
  model: Model
  /** Items in stock at most; without a limit if undefined. */
  items?: number
  /** Members and open invitations at most. */
  people?: number
}

export const TIERS = {
  basic: { model: 'pool', items: 100, people: 5 },
  standard: { model: 'pool', items: 10_000, people: 50 },
  premium: { model: 'bridge', items: 100_000, people: 500 },
  platinum: { model: 'silo' },
} as const satisfies Record<string, Tier>

export type Plan = keyof typeof TIERS
export const PLANS = Object.keys(TIERS) as Plan[]

/** As people see it. */
export const nameOf = (plan: string): string => plan.charAt(0).toUpperCase() + plan.slice(1)

/** @throws Error for what the directory does not let in */
export function tierOf(plan: string): Tier {
  if (!Object.hasOwn(TIERS, plan)) throw new Error(`There is no plan “${plan}”.`)
  return TIERS[plan as Plan]
}
