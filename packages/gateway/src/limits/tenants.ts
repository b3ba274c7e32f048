/**
 * Limits per tenant and plan, which Amazon's HTTP APIs do not have. The tenant is read from what the authorizer has
 * verified and from nothing else: a header, or a token nobody checked, would let anyone empty another tenant's bucket.
 */
import type { CallerFact, TenantLimits } from '../api.ts'
import type { Caller } from '../exchange.ts'
import type { Rate } from './bucket.ts'

export interface TenantPlan {
  /** `null`: verified, but of no tenant. All of these share one bucket. */
  readonly tenant: string | null
  readonly plan: string
  readonly rate: Rate
}

/** Returns what is wrong with the limits, or `null`. */
export function tenantLimitsFault({ plans, tenants, defaultPlan }: TenantLimits): string | null {
  const unknown = [defaultPlan, ...Object.values(tenants)].find((name) => !Object.hasOwn(plans, name))
  if (unknown !== undefined) return `the plan "${unknown}" is not defined; defined are ${Object.keys(plans).join(', ')}`
  for (const [name, { perSecond, burst }] of Object.entries(plans)) {
    if (!(perSecond >= 0 && Number.isFinite(perSecond))) return `the rate of the plan "${name}" must be 0 or more`
    if (!(Number.isSafeInteger(burst) && burst >= 0)) return `the burst of the plan "${name}" must be a whole number`
  }
  return null
}

/** @returns `null` for a caller whom no authorizer knows: an open route has no tenant */
export function compileTenantPlans(limits: TenantLimits): (caller: Caller) => TenantPlan | null {
  // Not objects: asked for a name that came with a request, an object first looks it up among all names there are.
  const rates = new Map(Object.entries(limits.plans))
  const named = new Map(Object.entries(limits.tenants))
  const planOf = (tenant: string | null, caller: Caller): string => {
    const own = tenant === null ? undefined : named.get(tenant)
    if (own !== undefined) return own
    const claimed = limits.plan === null ? null : factOf(limits.plan, caller)
    return claimed !== null && rates.has(claimed) ? claimed : limits.defaultPlan
  }
  return (caller) => {
    if (caller.type === 'NONE') return null
    const tenant = factOf(limits.tenant, caller)
    const plan = planOf(tenant, caller)
    return { tenant, plan, rate: rates.get(plan)! }
  }
}

// A list or an object has no one text: two different ones could be written alike and share a bucket.
function factOf({ from, name }: CallerFact, caller: Caller): string | null {
  const facts = caller.type === 'JWT' && from === 'claim' ? caller.claims : null
  const all = caller.type === 'CUSTOM' && from === 'context' ? caller.context : facts
  const value = all !== null && Object.hasOwn(all, name) ? all[name] : null
  if (typeof value === 'string') return value === '' ? null : value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}
