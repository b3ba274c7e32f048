/** What a sign-in demands beyond its first factor, by whoever may demand it, and whether it is met. */
import type { EnvironmentSettings } from '../../environments/environment.ts'
import { MULTI_FACTOR } from '../../oauth/tokens/multi-factor.ts'
import type { GuardianSettings } from '../../resources/guardian/settings.ts'
import type { FactorName, Method } from './factor.ts'

export type Demand =
  /** Any second factor, once in a session. */
  | { kind: 'mfa'; mayRemember: boolean }
  /** One of these, in this very sign-in. */
  | { kind: 'challenge'; factors: FactorName[] }
  /** To have one of these. */
  | { kind: 'enroll'; factors: FactorName[] }

/** In the metadata of an organization: its members need a second factor. Any value but this one demands it. */
export const ORGANIZATION_KEY = 'tenantry_mfa'
const OPTIONAL = 'optional'

/** Whether the environment demands one of everybody, and has not left that to its Actions. */
export const isAlways = (guardian: Pick<GuardianSettings, 'always'>, settings: EnvironmentSettings): boolean =>
  guardian.always && settings.customize_mfa_in_postlogin_action !== true

export function policyDemands(asked: {
  acrValues: readonly string[]
  organizationMetadata: Readonly<Record<string, string>> | undefined
  /** The environment demands one of everybody. */
  always: boolean
}): Demand[] {
  // What a client asks for in its request is a proof of now: a remembered browser proves nothing.
  if (asked.acrValues.includes(MULTI_FACTOR)) return [{ kind: 'mfa', mayRemember: false }]
  const own = asked.organizationMetadata?.[ORGANIZATION_KEY]
  const byOrganization = own !== undefined && own !== OPTIONAL
  return asked.always || byOrganization ? [{ kind: 'mfa', mayRemember: true }] : []
}

export interface Met {
  /** What the session was proven with. */
  amr: readonly string[]
  isRemembered: boolean
  /** Factors that were passed in this sign-in. */
  passed: readonly FactorName[]
  enrolled: readonly Pick<Method, 'factor'>[]
}

export function isMet(demand: Demand, { amr, isRemembered, passed, enrolled }: Met): boolean {
  if (demand.kind === 'mfa') return amr.includes('mfa') || (demand.mayRemember && isRemembered)
  if (demand.kind === 'challenge') return passed.some((name) => demand.factors.includes(name))
  return enrolled.some(({ factor }) => demand.factors.includes(factor))
}
