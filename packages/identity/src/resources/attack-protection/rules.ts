import { isDeepStrictEqual } from 'node:util'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { unsupported } from '../inert.ts'
import { problems as managementProblems } from '../management-api.ts'
import { parseRange } from './networks.ts'
import type {
  BreachedPasswordDetectionChange,
  BruteForceProtectionChange,
  PhoneProviderProtectionChange,
  SuspiciousIpThrottlingChange,
} from './schema.ts'
import {
  type BreachedPasswordDetection,
  type BruteForceProtection,
  DEFAULTS,
  type Stage,
  type SuspiciousIpThrottling,
} from './settings.ts'

export const problems = defineProblems({
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function changedBruteForce(
  current: BruteForceProtection,
  change: BruteForceProtectionChange,
): BruteForceProtection {
  refuseAllowlist(change.allowlist)
  return { ...current, ...change }
}

/**
 * `admin_notification` is in the default of each of Auth0's tenants. Until there is a `support_email` to write to, the
 * tenant log alone tells of it, as it always does.
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changedThrottling(
  current: SuspiciousIpThrottling,
  change: SuspiciousIpThrottlingChange,
): SuspiciousIpThrottling {
  refuseAllowlist(change.allowlist)
  const { stage = {}, ...rest } = change
  const exchange = 'pre-custom-token-exchange'
  const usual = DEFAULTS.suspicious_ip_throttling.stage[exchange]
  // What no exchange would obey may only be repeated as it is.
  if (stage[exchange] && !isDeepStrictEqual({ ...usual, ...stage[exchange] }, usual))
    throw unsupported(`stage.${exchange}`)
  const next = (name: 'pre-login' | 'pre-user-registration') => ({ ...current.stage[name], ...stage[name] })
  return {
    ...current,
    ...rest,
    stage: {
      ...current.stage,
      'pre-login': next('pre-login'),
      'pre-user-registration': next('pre-user-registration'),
    },
  }
}

/**
 * @param isAvailable whether the installation has a list of such passwords
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changedBreachDetection(
  current: BreachedPasswordDetection,
  change: BreachedPasswordDetectionChange,
  { isAvailable, adminAddress }: { isAvailable: boolean; adminAddress: string | undefined },
): BreachedPasswordDetection {
  if (change.enabled && !isAvailable) {
    const what =
      'Breached passwords cannot be detected: this installation has no list of them. Its operator sets TENANTRY_BREACHED_PASSWORDS.'
    throw managementProblems.operation_not_supported({ facts: { what } })
  }
  // The enhanced method is a service of Auth0's.
  if (change.method === 'enhanced') throw unsupported('method: enhanced')
  const { stage = {}, ...rest } = change
  const next = { ...current, ...rest, stage: { ...current.stage } }
  for (const name of ['pre-user-registration', 'pre-change-password'] as const) {
    next.stage[name] = { ...current.stage[name], ...stage[name] }
  }
  refuseUnaddressed([change.shields, ...Object.values(stage).map((at) => at.shields)], adminAddress)
  return next
}

/**
 * Auth0's `type` names a pace at which one number is sent further messages; ours has its own. The limit over all numbers
 * is not one of Auth0's members.
 *
 * @throws Problem `operation_not_supported`
 */
export function changedTextMessages(current: Stage, change: PhoneProviderProtectionChange): Stage {
  if (change.type === 'exponential') throw unsupported('type')
  return { ...current, ...change.text_messages }
}

/** Who administers an environment is not known by address: its support is written to. */
function refuseUnaddressed(shields: (readonly string[] | undefined)[], adminAddress: string | undefined): void {
  if (adminAddress !== undefined || !shields.some((each) => each?.includes('admin_notification'))) return
  const reason = "'admin_notification' has nobody to write to. Set 'support_email' of the tenant settings first."
  throw problems.invalid_body({ facts: { reason } })
}

function refuseAllowlist(entries: readonly string[] | undefined): void {
  const wrong = entries?.find((entry) => parseRange(entry) === undefined)
  if (wrong === undefined) return
  const reason = `'allowlist' holds ${JSON.stringify(wrong)}, which is no IP address and no network in CIDR notation.`
  throw problems.invalid_body({ facts: { reason } })
}
