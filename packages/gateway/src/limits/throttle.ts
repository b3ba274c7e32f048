/**
 * Decides how many requests pass: the account's limit and the stage's or the route's before the authorizer, a tenant's
 * after it, so that nobody empties a tenant's bucket without that tenant's credentials. A request that one bucket
 * refuses takes nothing from the others: what a tenant is refused is not missing to its neighbours.
 *
 * A route with settings of its own has a bucket of its own; all other routes of a stage share the stage's. AWS's
 * documentation leaves open whether they share.
 */
import { createHash } from 'node:crypto'
import type { Api, Throttling } from '../api.ts'
import type { Call } from '../exchange.ts'
import type { CompiledRoute } from '../routing/router.ts'
import { type Bucket, type Rate, untilToken } from './bucket.ts'
import type { Shelf } from './shelf.ts'
import { compileTenantPlans, tenantLimitsFault } from './tenants.ts'

export interface Throttle {
  /** Before the authorizer. Takes tokens, unless the call is only explained. */
  admits(call: Call): boolean
  /**
   * After the authorizer. Takes a token, unless the call is only explained.
   * @returns `null` when it passes, else header pairs for the refusal
   */
  refuses(call: Call): readonly string[] | null
}

export interface ThrottleDeps {
  /** Of the whole account, all APIs together. */
  readonly account: Throttling
  /** The bucket of this name; the same one for as long as a configuration names it. */
  readonly bucketOf: (name: string) => Bucket
  readonly shelfOf: (name: string) => Shelf
}

/** What AWS gives an account, and so what a stage has that sets only one of the two. */
export const accountDefault: Rate = { perSecond: 10_000, burst: 5_000 }

interface Limit {
  readonly scope: 'account' | 'stage' | 'route' | 'tenant'
  readonly name: string
  /** Of a tenant. */
  readonly plan: string | null
  readonly rate: Rate
  readonly bucket: Bucket
}

/**
 * @returns `null` when nothing is limited
 * @throws Error saying what is wrong with the limits
 */
export function compileThrottle(api: Api, routes: readonly CompiledRoute[], deps: ThrottleDeps): Throttle | null {
  const { stage, id, tenantLimits } = api
  const here = [id, stage.name]
  const limit = (scope: Limit['scope'], name: string, rate: Rate | null): readonly Limit[] => {
    if (rate === null) return []
    const place = scope === 'account' ? [api.accountId] : scope === 'stage' ? here : [...here, name]
    return [{ scope, name, plan: null, rate, bucket: deps.bucketOf(JSON.stringify([scope, ...place])) }]
  }
  const account = limit('account', api.accountId, rateOf(deps.account, 'the account'))
  const shared = limit('stage', stage.name, rateOf(stage.throttling, `the stage "${stage.name}"`))
  const limitsOf = ({ key }: CompiledRoute): readonly Limit[] => {
    const own = Object.hasOwn(stage.routeThrottling, key) ? stage.routeThrottling[key]! : null
    if (own === null || (own.rateLimit === null && own.burstLimit === null)) return [...account, ...shared]
    const merged = {
      rateLimit: own.rateLimit ?? stage.throttling.rateLimit,
      burstLimit: own.burstLimit ?? stage.throttling.burstLimit,
    }
    return [...account, ...limit('route', key, rateOf(merged, `the route "${key}"`))]
  }
  const byRoute = routes.map(limitsOf)
  const tenants = tenantLimits === undefined ? null : compileTenants(api, deps)
  if (tenants === null && byRoute.every((limits) => limits.length === 0)) return null

  return {
    admits: (call) => {
      const limits = byRoute[call.route.index]!
      const { receivedAt, trace } = call
      for (let i = 0; i < limits.length; i++) {
        const limit = limits[i]!
        const wait = trace === null ? limit.bucket.take(limit.rate, receivedAt) : look(limit, call)
        if (wait === 0) continue
        if (trace === null) for (const taken of limits.slice(0, i)) taken.bucket.giveBack()
        return false
      }
      return true
    },
    refuses: (call) => {
      const limit = tenants === null ? null : tenants(call)
      if (limit === null) return null
      const wait = call.trace === null ? limit.bucket.take(limit.rate, call.receivedAt) : look(limit, call)
      if (wait === 0) return null
      if (call.trace === null) for (const { bucket } of byRoute[call.route.index]!) bucket.giveBack()
      return refusalFields(limit.rate, wait)
    },
  }
}

/** What taking a token would answer, noted and not done. */
function look({ scope, name, plan, rate, bucket }: Limit, call: Call): number {
  const tokens = bucket.level(rate, call.receivedAt)
  const wait = untilToken(tokens, rate)
  call.trace?.note({
    at: 'limit',
    check: plan === null ? `${scope} ${name}` : `${scope} ${name} (${plan})`,
    passed: wait === 0,
    expected: `${rate.perSecond} per second, ${rate.burst} at once`,
    actual: `${Math.floor(tokens)} left`,
  })
  return wait
}

function compileTenants({ id, stage, tenantLimits }: Api, deps: ThrottleDeps): (call: Call) => Limit | null {
  const fault = tenantLimitsFault(tenantLimits!)
  if (fault !== null) throw new Error(`the limits of tenants cannot be used: ${fault}`)
  const planOf = compileTenantPlans(tenantLimits!)
  const shelf = deps.shelfOf(JSON.stringify(['tenant', id, stage.name]))
  return ({ caller, receivedAt }) => {
    const found = planOf(caller)
    if (found === null) return null
    const { tenant, plan, rate } = found
    const bucket = shelf.at(tenant === null ? nobodys : shelfName(tenant), receivedAt)
    return { scope: 'tenant', name: tenant ?? 'none', plan, rate, bucket }
  }
}

// Names are keys in memory and perhaps in a database, which has no room for every text a claim can be. The claim itself
// is the key where it can be: it was hashed when it was first looked for, and a text made of it would be each time. No
// such claim begins with a space.
const nobodys = ' '
const shelfName = (tenant: string): string =>
  /^[\x21-\x7e]{1,128}$/.test(tenant) ? tenant : ` ${createHash('sha256').update(tenant).digest('base64url')}`

function rateOf({ rateLimit, burstLimit }: Throttling, whose: string): Rate | null {
  if (rateLimit === null && burstLimit === null) return null
  const rate = { perSecond: rateLimit ?? accountDefault.perSecond, burst: burstLimit ?? accountDefault.burst }
  if (
    !(rate.perSecond >= 0 && Number.isFinite(rate.perSecond)) ||
    !(Number.isSafeInteger(rate.burst) && rate.burst >= 0)
  )
    throw new Error(`the throttling of ${whose} cannot be used: a rate is 0 or more, a burst a whole number`)
  return rate
}

// An answer of the extension, so it may say when to come back: AWS's own 429 says nothing.
function refusalFields({ perSecond, burst }: Rate, wait: number): readonly string[] {
  if (wait === Number.POSITIVE_INFINITY) return []
  const seconds = String(Math.ceil(wait / 1000))
  const policy = `"tenant";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`
  return ['retry-after', seconds, 'ratelimit-policy', policy, 'ratelimit', `"tenant";r=0;t=${seconds}`]
}
