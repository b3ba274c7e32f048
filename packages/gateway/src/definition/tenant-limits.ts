import type { CallerFact, TenantLimits } from '../api.ts'
import { tenantLimitsFault } from '../limits/tenants.ts'
import { type Members, members, onlyMembers, textMap, wholeNumber } from './document.ts'
import type { Place } from './report.ts'

export const tenantLimitsExtension = 'x-tenantry-limits'

/**
 * Reads limits per tenant and plan, a vendor extension of ours at the root of a document:
 *
 *   x-tenantry-limits:
 *     tenant: { claim: org_id }
 *     plan: { claim: plan }
 *     plans: { free: { perSecond: 5, burst: 10 }, pro: { perSecond: 100, burst: 200 } }
 *     tenants: { org_acme: pro }
 *     defaultPlan: free
 */
export function readTenantLimits(value: unknown, place: Place): { readonly tenantLimits?: TenantLimits } {
  if (value === undefined) return {}
  const object = members(value, place)
  if (object === null) return {}
  onlyMembers(object, ['tenant', 'plan', 'plans', 'tenants', 'defaultPlan'], place)
  const tenant = readFact(object.tenant, place.in('tenant'))
  const plan = object.plan === undefined ? null : readFact(object.plan, place.in('plan'))
  const plans = Object.entries(members(object.plans, place.in('plans')) ?? {}).flatMap(([name, plan]) => {
    const rate = readRate(members(plan, place.in('plans').in(name)), place.in('plans').in(name))
    return rate === null ? [] : [[name, rate] as const]
  })
  if (tenant === null) return {}
  const tenantLimits: TenantLimits = {
    tenant,
    plan,
    plans: Object.fromEntries(plans),
    tenants: textMap(object.tenants, place.in('tenants')),
    defaultPlan: String(object.defaultPlan ?? ''),
  }
  const fault = tenantLimitsFault(tenantLimits)
  if (fault !== null) place.error(fault)
  return { tenantLimits }
}

/** What `readTenantLimits` reads back into the same limits. */
export const writeTenantLimits = ({ tenant, plan, ...limits }: TenantLimits): Members => ({
  tenant: { [tenant.from]: tenant.name },
  ...(plan === null ? {} : { plan: { [plan.from]: plan.name } }),
  ...limits,
})

function readFact(value: unknown, place: Place): CallerFact | null {
  const object = members(value, place)
  if (object === null) return null
  onlyMembers(object, ['claim', 'context'], place)
  const [[from, name] = [], ...rest] = Object.entries(object)
  if ((from === 'claim' || from === 'context') && typeof name === 'string' && name !== '' && rest.length === 0)
    return { from, name }
  place.error('must be { claim: … } or { context: … }: what an authorizer verified and nothing else')
  return null
}

function readRate(plan: Members | null, place: Place): TenantLimits['plans'][string] | null {
  if (plan === null) return null
  onlyMembers(plan, ['perSecond', 'burst'], place)
  const { perSecond } = plan
  const burst = wholeNumber(plan.burst, { min: 0, max: 1_000_000_000 }, place.in('burst'))
  if (typeof perSecond === 'number' && perSecond >= 0 && burst !== undefined) return { perSecond, burst }
  if (burst !== undefined) place.in('perSecond').error('must be a number, 0 or more')
  return null
}
