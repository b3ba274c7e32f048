/** What failed sign-ins are counted by. Accounts and places are known by keyed hashes only. */
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
  /** What is counted of messages that an address asks for, and of those of the whole environment. */
  messages(ip: string): Counter
  allMessages(): Counter
  /** What is counted of codes that are asked for to be sent to somebody, whether they are there or not. */
  codesTo(recipient: string): Counter
  /** The same of text messages, whatever they are for. */
  textMessages(): Counter
  /** What is counted of sign-ups from an address. */
  signUps(ip: string): Counter
  /** What is counted of codes of devices that are typed at an address. */
  deviceCodes(ip: string): Counter
  /** What is counted of clients that are registered from an address. */
  registrations(ip: string): Counter
}

export function createCounters(secrets: Secrets): Counters {
  const hash = (...parts: string[]) => secrets.authenticate('login-failures', JSON.stringify(parts))
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
    messages: (ip) => ({
      kind: 'address',
      bucket: hash('messages', network(ip)),
      account: null,
      ip: plainAddress(ip),
    }),
    allMessages: () => ({ kind: 'address', bucket: hash('messages'), account: null, ip: null }),
    codesTo: (recipient) => ({ kind: 'address', bucket: hash('codes-to', recipient), account: null, ip: null }),
    textMessages: () => ({ kind: 'address', bucket: hash('text-messages'), account: null, ip: null }),
    deviceCodes: (ip) => ({
      kind: 'address',
      bucket: hash('device-codes', network(ip)),
      account: null,
      ip: plainAddress(ip),
    }),
    registrations: (ip) => ({
      kind: 'address',
      bucket: hash('registrations', network(ip)),
      account: null,
      ip: plainAddress(ip),
    }),
    signUps: (ip) => ({
      kind: 'address',
      bucket: hash('sign-ups', network(ip)),
      account: null,
      ip: plainAddress(ip),
    }),
  }
}

/** Without a limit over all addresses, whoever has many of them could guess for ever. */
const ADDRESSES = 10

/** How many tries an account has at one address, and over all of them. */
export const accountLimits = ({ mode, max_attempts }: BruteForceProtection) =>
  mode === 'count_per_identifier'
    ? { account_at_address: Number.POSITIVE_INFINITY, account: max_attempts }
    : { account_at_address: max_attempts, account: max_attempts * ADDRESSES }
