import { type Answer, answers } from '../../../answers.ts'
import { type Api, limits } from '../../../api.ts'
import { accountDefault } from '../../../limits/throttle.ts'
import { claimFetch } from './jwt.ts'
import type { Features } from './report.ts'
import type { NamedRoute } from './routing.ts'
import { reply, word } from './words.ts'

export interface ThrottlingRules {
  readonly rules: readonly string[]
  /** Sections of their own. */
  readonly tables: readonly string[]
}

const difference =
  'counts the requests of a sliding window, refused ones among them, instead of filling a bucket: bursts are cut earlier'

/** The rates of the stage and of routes with settings of their own, as windows. */
export function throttlingRules(
  { id: api, stage }: Api,
  routes: readonly NamedRoute[],
  features: Features,
): ThrottlingRules {
  const limited = routes.flatMap(({ id, key }) => {
    const own = stage.routeThrottling[key]
    const isOwn = own !== undefined && (own.rateLimit !== null || own.burstLimit !== null)
    const rate = own?.rateLimit ?? stage.throttling.rateLimit
    const burst = own?.burstLimit ?? stage.throttling.burstLimit
    if (rate === null && burst === null) return []
    features.approximate(isOwn ? key : api, 'throttling', difference)
    return [{ id, bucket: isOwn ? id : 'stage', ...windowOf(rate ?? accountDefault.perSecond) }]
  })
  const periods = [...new Set(limited.map(({ seconds }) => seconds))]
  return {
    tables: periods.map((seconds) => table(`throttle_${seconds}s`, seconds)),
    rules: limited.flatMap(({ id, bucket, seconds, limit }) => {
      const isOurs = `{ var(txn.route) -m str ${id} }`
      return [
        `http-request track-sc0 str(${bucket}) table throttle_${seconds}s if ${isOurs}`,
        ...reply(answers.throttled, `${isOurs} { sc_http_req_rate(0,throttle_${seconds}s) gt ${limit} }`),
      ]
    }),
  }
}

/** The shortest window of whole seconds in which a whole request passes. */
function windowOf(rate: number): { readonly seconds: number; readonly limit: number } {
  const seconds = rate >= 1 || rate === 0 ? 1 : Math.ceil(1 / rate)
  return { seconds, limit: Math.floor(rate * seconds) }
}

/** A limit for each tenant, by its plan. */
export interface TenantRules extends ThrottlingRules {
  /** Maps, by file name. */
  readonly files: Readonly<Record<string, string>>
}

const nothing: TenantRules = { rules: [], tables: [], files: {} }

export function tenantRules({ id, tenantLimits }: Api, directory: string, features: Features): TenantRules {
  if (tenantLimits === undefined) return nothing
  const { tenant, plan, plans, tenants, defaultPlan } = tenantLimits
  const feature = 'limits of tenants'
  const refuse = (reason: string): TenantRules => {
    features.refuse(id, feature, reason)
    return nothing
  }
  const [fetch, planFetch] = [tenant, plan].map((fact) => (fact?.from === 'claim' ? claimFetch(fact.name) : null))
  if (typeof fetch !== 'string' || (plan !== null && typeof planFetch !== 'string')) {
    return refuse('tenants and plans are found in claims with plain names alone')
  }
  const slow = Object.entries(plans).find(([, { perSecond }]) => perSecond > 0 && perSecond < 1)
  if (slow !== undefined) return refuse(`the plan "${slow[0]}" has less than one request per second`)
  const odd = [...Object.keys(plans), ...Object.entries(tenants).flat()].find((name) => !plainName.test(name))
  if (odd !== undefined) return refuse(`${JSON.stringify(odd)} cannot stand in a map`)
  features.approximate(id, feature, difference)
  const perSecond = (name: string): number => Math.floor(plans[name]?.perSecond ?? 0)
  const set = (name: string, expression: string, condition: string): string =>
    `http-request set-var(txn.${name}) ${word(expression)} if { var(txn.auth) -m found }${condition}`
  return {
    tables: [table('tenants', 1)],
    files: {
      'tenants.map': Object.entries(tenants)
        .map(([name, its]) => `${name} ${its}\n`)
        .join(''),
      'plans.map': Object.keys(plans)
        .map((name) => `${name} ${perSecond(name)}\n`)
        .join(''),
    },
    rules: [
      set('tenant', fetch, ''),
      // Callers without a tenant share a limit.
      set('tenant', 'str(-)', ' !{ var(txn.tenant) -m found }'),
      set('plan', `var(txn.tenant),map_str(${directory}/tenants.map)`, ''),
      ...(typeof planFetch === 'string' ? [set('plan', planFetch, ' !{ var(txn.plan) -m found }')] : []),
      set('plan', `str(${defaultPlan})`, ' !{ var(txn.plan) -m found }'),
      set('limit', `var(txn.plan),map_str_int(${directory}/plans.map,${perSecond(defaultPlan)})`, ''),
      'http-request track-sc1 var(txn.tenant) table tenants if { var(txn.tenant) -m found }',
      set('over', 'sc_http_req_rate(1,tenants),sub(txn.limit)', ''),
      ...reply(answers.throttled, '{ var(txn.over) -m int gt 0 }'),
    ],
  }
}

const plainName = /^[A-Za-z0-9_.|:@-]+$/

const table = (name: string, seconds: number): string =>
  `backend ${name}\n  stick-table type string len 128 size 100k expire ${seconds * 10}s store http_req_rate(${seconds}s)\n`

export const bodyRule = (answer: Answer): string[] =>
  reply(answer, `{ req.hdr(content-length) -m int gt ${limits.bodyBytes} }`)
