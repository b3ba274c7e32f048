import { isDeepStrictEqual } from 'node:util'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { unsupported } from '../inert.ts'
import { parseRange } from './networks.ts'
import type { BruteForceProtectionChange, SuspiciousIpThrottlingChange } from './schema.ts'
import { type BruteForceProtection, DEFAULTS, type SuspiciousIpThrottling } from './settings.ts'

export const problems = defineProblems({
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function changedBruteForce(
  current: BruteForceProtection,
  change: BruteForceProtectionChange,
): BruteForceProtection {
  refuseShield(change.shields, 'user_notification')
  refuseAllowlist(change.allowlist)
  return { ...current, ...change }
}

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function changedThrottling(
  current: SuspiciousIpThrottling,
  change: SuspiciousIpThrottlingChange,
): SuspiciousIpThrottling {
  refuseShield(change.shields, 'admin_notification')
  refuseAllowlist(change.allowlist)
  const { stage = {}, ...rest } = change
  for (const name of ['pre-user-registration', 'pre-custom-token-exchange'] as const) {
    const usual = DEFAULTS.suspicious_ip_throttling.stage[name]
    // What no sign-up and no exchange would obey may only be repeated as it is.
    if (stage[name] && !isDeepStrictEqual({ ...usual, ...stage[name] }, usual)) throw unsupported(`stage.${name}`)
  }
  return {
    ...current,
    ...rest,
    stage: { ...current.stage, 'pre-login': { ...current.stage['pre-login'], ...stage['pre-login'] } },
  }
}

function refuseShield(shields: readonly string[] | undefined, silent: string): void {
  if (shields?.includes(silent)) throw unsupported(`shields: ${silent}`)
}

function refuseAllowlist(entries: readonly string[] | undefined): void {
  const wrong = entries?.find((entry) => parseRange(entry) === undefined)
  if (wrong === undefined) return
  const reason = `'allowlist' holds ${JSON.stringify(wrong)}, which is no IP address and no network in CIDR notation.`
  throw problems.invalid_body({ facts: { reason } })
}
