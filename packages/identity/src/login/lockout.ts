/**
 * Limits on guessing passwords. Tries are counted before they are evaluated, per account and address, per account, and
 * per address; unknown accounts are counted alike, so the limit tells nothing about who exists.
 */

import { createHmac } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as store from './store.ts'

const WINDOW_SECONDS = 15 * 60
const LIMITS = { accountAtAddress: 10, account: 100, address: 200 }

export interface Lockout {
  /** Counts a try. @returns false when it must not be evaluated. */
  admit(environmentId: string, account: string, ip: string): Promise<boolean>
  succeeded(environmentId: string, account: string, ip: string): Promise<void>
}

export function createLockout(deps: { database: Database; secrets: Secrets; clock: Clock }): Lockout {
  const key = deps.secrets.deriveKey('login-failures')
  const bucket = (...parts: string[]) => createHmac('sha256', key).update(JSON.stringify(parts)).digest()
  const buckets = (account: string, ip: string) => ({
    accountAtAddress: bucket('both', account.toLowerCase(), network(ip)),
    account: bucket('account', account.toLowerCase()),
    address: bucket('address', network(ip)),
  })
  return {
    async admit(environmentId, account, ip) {
      const counted = buckets(account, ip)
      const now = deps.clock.now()
      const rows = await deps.database.once(environmentId, (tx) =>
        store.countTry(tx, environmentId, Object.values(counted), now, addSeconds(now, WINDOW_SECONDS)),
      )
      return Object.entries(counted).every(([name, hash]) => {
        const count = rows.find((row) => hash.equals(row.bucket))?.failures ?? Number.POSITIVE_INFINITY
        return count <= LIMITS[name as keyof typeof LIMITS]
      })
    },
    async succeeded(environmentId, account, ip) {
      const { accountAtAddress, account: all, address } = buckets(account, ip)
      await deps.database.once(environmentId, (tx) => store.forgetTries(tx, [accountAtAddress, all], address))
    },
  }
}

/** One household, one bucket: an IPv6 customer owns a /64 and would otherwise rotate through it (CVE-2026-45364). */
export function network(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped) return mapped
  if (!isIPv6(ip)) return ip
  const [head = '', tail] = ip.split('%')[0]!.toLowerCase().split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean)
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
