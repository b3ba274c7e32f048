/**
 * Limits on guessing passwords. Tries are counted before they are evaluated, per account and address, per account, and
 * per address; unknown accounts are counted alike, so the limit tells nothing about who exists. The limits are the
 * environment's (resources/attack-protection).
 *
 * Accounts are counted in windows of 15 minutes. An address has a stock of tries, and gets one back after each
 * `rate` milliseconds.
 */

import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import { accountLimits, type Counter, createCounters } from '../resources/attack-protection/counters.ts'
import type { AttackProtection, ReadAttackProtection } from '../resources/attack-protection/settings.ts'
import * as store from './store.ts'

const WINDOW_SECONDS = 15 * 60

export interface Lockout {
  /** Counts a try. @returns false when it must not be evaluated. */
  admit(environmentId: string, account: string, ip: string): Promise<boolean>
  succeeded(environmentId: string, account: string, ip: string): Promise<void>
}

export interface LockoutDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  attackProtection: ReadAttackProtection
  tenantLog: Pick<TenantLog, 'add'>
}

export function createLockout(deps: LockoutDependencies): Lockout {
  const counters = createCounters(deps.secrets)
  return {
    async admit(environmentId, account, ip) {
      const protection = await deps.attackProtection(environmentId)
      const counted = countersFor(protection, counters.of(account, ip), ip)
      if (counted.length === 0) return true
      const now = deps.clock.now()
      const throttle = protection.ipThrottling.settings.stage['pre-login']
      const rows = await deps.database.once(environmentId, (tx) =>
        store.countTry(tx, environmentId, counted, now, addSeconds(now, WINDOW_SECONDS), throttle),
      )
      const tries = counted.map(({ kind, bucket }) => {
        const failures = rows.find((row) => bucket.equals(row.bucket))?.failures ?? Number.POSITIVE_INFINITY
        return judge(protection, kind, failures)
      })
      const begun = (shield: Judgement['shield']) => tries.some((each) => each.shield === shield && each.begins)
      // Once for a block, at the first try that it meets.
      const entry = { ip, user_name: account }
      if (begun('account')) deps.tenantLog.add(environmentId, { type: 'limit_wc', ...entry })
      if (begun('address')) deps.tenantLog.add(environmentId, { type: 'limit_mu', ...entry })
      return !tries.some(({ refused }) => refused)
    },
    async succeeded(environmentId, account, ip) {
      const { ipThrottling } = await deps.attackProtection(environmentId)
      const counted = counters.of(account, ip)
      const { rate } = ipThrottling.settings.stage['pre-login']
      await deps.database.once(environmentId, (tx) =>
        store.forgetTries(
          tx,
          [counted.account_at_address.bucket, counted.account.bucket],
          counted.address.bucket,
          rate,
        ),
      )
    },
  }
}

function countersFor(
  { bruteForce, ipThrottling }: AttackProtection,
  counted: Record<Counter['kind'], Counter>,
  ip: string,
): Counter[] {
  const { mode } = bruteForce.settings
  return [
    ...(bruteForce.counts(ip) ? [counted.account] : []),
    ...(bruteForce.counts(ip) && mode === 'count_per_identifier_and_ip' ? [counted.account_at_address] : []),
    ...(ipThrottling.counts(ip) ? [counted.address] : []),
  ]
}

interface Judgement {
  shield: 'account' | 'address'
  refused: boolean
  /** Whether this is the first try over the limit. */
  begins: boolean
}

function judge({ bruteForce, ipThrottling }: AttackProtection, kind: Counter['kind'], failures: number): Judgement {
  // What is counted for an address is only what was over its limit.
  if (kind === 'address') {
    return { shield: 'address', refused: ipThrottling.blocks && failures > 0, begins: failures === 1 }
  }
  const limit = accountLimits(bruteForce.settings)[kind]
  return { shield: 'account', refused: bruteForce.blocks && failures > limit, begins: failures === limit + 1 }
}
