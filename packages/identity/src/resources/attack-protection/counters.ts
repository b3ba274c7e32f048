/** What failed sign-ins are counted by. Accounts and places are known by keyed hashes only. */
import { createHmac } from 'node:crypto'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { network, plainAddress } from './networks.ts'
import type { BruteForceProtection } from './settings.ts'

export interface Counter {
  kind: 'account_at_address' | 'account' | 'address'
  bucket: Buffer
  account: Buffer | null
  ip: string | null
}

export interface Counters {
  of(account: string, ip: string): Record<Counter['kind'], Counter>
  /** The hash by which every counter of an account is found. */
  account(account: string): Buffer
  address(ip: string): Buffer
}

export function createCounters(secrets: Secrets): Counters {
  const key = secrets.deriveKey('login-failures')
  const hash = (...parts: string[]) => createHmac('sha256', key).update(JSON.stringify(parts)).digest()
  const accountOf = (account: string) => hash('account', account.toLowerCase())
  const addressOf = (ip: string) => hash('address', network(ip))
  return {
    of(name, ip) {
      const account = accountOf(name)
      const bucket = hash('both', name.toLowerCase(), network(ip))
      return {
        account_at_address: { kind: 'account_at_address', bucket, account, ip: plainAddress(ip) },
        account: { kind: 'account', bucket: account, account, ip: null },
        address: { kind: 'address', bucket: addressOf(ip), account: null, ip: plainAddress(ip) },
      }
    },
    account: accountOf,
    address: addressOf,
  }
}

/** Without a limit over all addresses, whoever has many of them could guess for ever. */
const ADDRESSES = 10

/** How many tries an account has at one address, and over all of them. */
export const accountLimits = ({ mode, max_attempts }: BruteForceProtection) =>
  mode === 'count_per_identifier'
    ? { account_at_address: Number.POSITIVE_INFINITY, account: max_attempts }
    : { account_at_address: max_attempts, account: max_attempts * ADDRESSES }
