/**
 * Limits on guessing passwords. Tries are counted before they are evaluated, per account and address, per account, and
 * per address; unknown accounts are counted alike, so the limit tells nothing about who exists. The limits are the
 * environment's (resources/attack-protection).
 *
 * Accounts are counted in windows of 15 minutes. An address has a stock of tries, and gets one back after each
 * `rate` milliseconds.
 */

import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import { accountLimits, type Counter, createCounters } from '../resources/attack-protection/counters.ts'
import type { Notices } from '../resources/attack-protection/notices.ts'
import type { AttackProtection, ReadAttackProtection, Stage } from '../resources/attack-protection/settings.ts'
import * as store from './store.ts'

const WINDOW_SECONDS = 15 * 60
/** Of an address ten at once, then one a minute; of an environment 500, then one every two seconds. */
const MESSAGES = { max_attempts: 10, rate: 60_000 }
const ALL_MESSAGES = { max_attempts: 500, rate: 2000 }
/** Five at once, then five an hour. */
const CODES_TO_ONE = { max_attempts: 5, rate: 720_000 }
/** Twenty codes at once, then one a minute. */
const DEVICE_CODES = { max_attempts: 20, rate: 60_000 }
/** Ten clients at once, then one in five minutes. */
export const REGISTRATIONS = { max_attempts: 10, rate: 300_000 }

export interface Lockout {
  /** Counts a try. @returns false when it must not be evaluated. */
  admit(environmentId: string, account: string, ip: string): Promise<boolean>
  /** What a right password makes forgotten, for `store.recordPasswordLogin`. */
  triesOf(environmentId: string, account: string, ip: string): Promise<store.Tries>
  /** Counts a sign-up. @returns false when it must not be evaluated. */
  admitSignUp(environmentId: string, ip: string): Promise<boolean>
  /** Counts a message that somebody wants to be sent, to whomever (N106); this limit is nobody's to turn off. */
  admitMessage(environmentId: string, ip: string): Promise<boolean>
  /**
   * Counts a code as such a message, and those to one recipient. What is counted is the wish, not what is sent: a limit that
   * only people meet who are there would tell who is (CWE-204).
   */
  admitCode(environmentId: string, ip: string, recipient: string): Promise<boolean>
  /**
   * Counts text messages of the environment, whatever they are for and whoever asks: each one costs money, and premium
   * numbers pay whoever has them sent to (N106). The limit is read first, and a message is counted where it is written, so
   * that none is counted which is not sent.
   */
  textMessages(environmentId: string, ip: string | undefined): Promise<(tx: Tx) => Promise<boolean>>
  /** Counts a code that somebody types for a device; this limit is nobody's to turn off. */
  admitDeviceCode(environmentId: string, ip: string): Promise<boolean>
  foundDeviceCode(environmentId: string, ip: string): Promise<void>
  /** Counts a client that somebody registers; nobody's to turn off either. */
  admitRegistration(environmentId: string, ip: string): Promise<boolean>
}

export interface LockoutDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  attackProtection: ReadAttackProtection
  tenantLog: Pick<TenantLog, 'add'>
  notices: Pick<Notices, 'accountBlocked' | 'addressThrottled'>
}

export function createLockout(deps: LockoutDependencies): Lockout {
  const counters = createCounters(deps.secrets)

  /** One of a stock. @returns false when nothing is left of it */
  const take = (environmentId: string, ip: string, counter: Counter, stock: Stage) =>
    deps.database.inEnvironment(environmentId, (tx) => takeIn(tx, environmentId, ip, counter, stock))

  async function takeIn(tx: Tx, environmentId: string, ip: string | undefined, counter: Counter, stock: Stage) {
    const now = deps.clock.now()
    const [row] = await store.countTry(tx, environmentId, [counter], now, now, stock)
    if (row?.failures === 1) deps.tenantLog.add(environmentId, { type: 'limit_mu', ip: ip ?? null })
    return (row?.failures ?? 0) === 0
  }

  const admitMessage: Lockout['admitMessage'] = async (environmentId, ip) =>
    (await take(environmentId, ip, counters.messages(ip), MESSAGES)) &&
    take(environmentId, ip, counters.allMessages(), ALL_MESSAGES)

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
      if (begun('account')) {
        deps.tenantLog.add(environmentId, { type: 'limit_wc', ...entry })
        deps.notices.accountBlocked(environmentId, account)
      }
      if (begun('address')) {
        deps.tenantLog.add(environmentId, { type: 'limit_mu', ...entry })
        deps.notices.addressThrottled(environmentId, ip)
      }
      return !tries.some(({ refused }) => refused)
    },
    async admitSignUp(environmentId, ip) {
      const { ipThrottling } = await deps.attackProtection(environmentId)
      if (!ipThrottling.counts(ip)) return true
      const now = deps.clock.now()
      const [row] = await deps.database.once(environmentId, (tx) =>
        store.countTry(
          tx,
          environmentId,
          [counters.signUps(ip)],
          now,
          now,
          ipThrottling.settings.stage['pre-user-registration'],
        ),
      )
      const refused = row?.failures ?? 0
      if (refused === 1) {
        deps.tenantLog.add(environmentId, { type: 'limit_mu', ip })
        deps.notices.addressThrottled(environmentId, ip)
      }
      return refused === 0 || !ipThrottling.blocks
    },
    admitDeviceCode: (environmentId, ip) => take(environmentId, ip, counters.deviceCodes(ip), DEVICE_CODES),
    admitRegistration: (environmentId, ip) => take(environmentId, ip, counters.registrations(ip), REGISTRATIONS),
    admitMessage,
    admitCode: async (environmentId, ip, recipient) =>
      (await admitMessage(environmentId, ip)) && take(environmentId, ip, counters.codesTo(recipient), CODES_TO_ONE),
    async textMessages(environmentId, ip) {
      const { textMessages } = await deps.attackProtection(environmentId)
      return (tx) => takeIn(tx, environmentId, ip, counters.textMessages(), textMessages)
    },
    async foundDeviceCode(environmentId, ip) {
      const { bucket } = counters.deviceCodes(ip)
      await deps.database.once(environmentId, (tx) =>
        store.forgetTries(tx, { cleared: [], returned: bucket, rate: DEVICE_CODES.rate }),
      )
    },
    async triesOf(environmentId, account, ip) {
      const { ipThrottling } = await deps.attackProtection(environmentId)
      const { account: own, account_at_address: atAddress, address } = counters.of(account, ip)
      const { rate } = ipThrottling.settings.stage['pre-login']
      return { cleared: [atAddress.bucket, own.bucket], returned: address.bucket, rate }
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
