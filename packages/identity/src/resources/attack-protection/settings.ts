/** The limits on guessing as an environment has set them, read by every sign-in and therefore kept in memory. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { ConfigurationCache } from '../../configuration-cache.ts'
import { allowlist } from './networks.ts'
import * as store from './store.ts'

export interface BruteForceProtection {
  enabled: boolean
  shields: string[]
  allowlist: string[]
  mode: string
  max_attempts: number
}

export interface Stage {
  max_attempts: number
  /** Milliseconds after which one more try is granted. */
  rate: number
}

export interface SuspiciousIpThrottling {
  enabled: boolean
  shields: string[]
  allowlist: string[]
  stage: { 'pre-login': Stage; 'pre-user-registration': Stage; 'pre-custom-token-exchange': Stage }
}

export interface BreachedPasswordDetection {
  enabled: boolean
  /** At a sign-in. */
  shields: string[]
  admin_notification_frequency: string[]
  method: string
  stage: { 'pre-user-registration': { shields: string[] }; 'pre-change-password': { shields: string[] } }
}

export interface AttackProtectionSettings {
  breached_password_detection: BreachedPasswordDetection
  brute_force_protection: BruteForceProtection
  suspicious_ip_throttling: SuspiciousIpThrottling
  /** Of the whole environment: each one costs its owner money, whoever asked for it. */
  text_messages: Stage
}

export const DEFAULTS: AttackProtectionSettings = {
  text_messages: { max_attempts: 200, rate: 10_000 },
  breached_password_detection: {
    enabled: false,
    shields: [],
    admin_notification_frequency: [],
    method: 'standard',
    stage: { 'pre-user-registration': { shields: [] }, 'pre-change-password': { shields: [] } },
  },
  brute_force_protection: {
    enabled: true,
    shields: ['block'],
    allowlist: [],
    mode: 'count_per_identifier_and_ip',
    max_attempts: 10,
  },
  suspicious_ip_throttling: {
    enabled: true,
    shields: ['block'],
    allowlist: [],
    stage: {
      'pre-login': { max_attempts: 100, rate: 864_000 },
      'pre-user-registration': { max_attempts: 50, rate: 1200 },
      'pre-custom-token-exchange': { max_attempts: 10, rate: 600_000 },
    },
  },
}

/** What a row means: the defaults where nothing was set. */
export const effective = (row: store.AttackProtectionRow | undefined): AttackProtectionSettings => ({
  breached_password_detection: row?.breached_password_detection ?? DEFAULTS.breached_password_detection,
  brute_force_protection: row?.brute_force_protection ?? DEFAULTS.brute_force_protection,
  suspicious_ip_throttling: row?.suspicious_ip_throttling ?? DEFAULTS.suspicious_ip_throttling,
  text_messages: row?.text_messages ?? DEFAULTS.text_messages,
})

/** One protection as the login obeys it. */
export interface Shield<Settings> {
  settings: Settings
  /** Whether tries are refused; without it they are only counted and logged. */
  blocks: boolean
  /** Whether tries from this address are counted at all. */
  counts(ip: string): boolean
}

export interface AttackProtection {
  bruteForce: Shield<BruteForceProtection>
  ipThrottling: Shield<SuspiciousIpThrottling>
  breachedPasswords: BreachedPasswordDetection
  textMessages: Stage
}

export type ReadAttackProtection = (environmentId: string) => Promise<AttackProtection>

export const createAttackProtection =
  ({ database, cache }: { database: Database; cache: ConfigurationCache }): ReadAttackProtection =>
  async (environmentId) =>
    (await cache.remember(environmentId, ['attack-protection'], async () => {
      const [row] = await database.once(environmentId, (tx) => store.read(tx))
      const settings = effective(row)
      return {
        bruteForce: shield(settings.brute_force_protection),
        ipThrottling: shield(settings.suspicious_ip_throttling),
        breachedPasswords: settings.breached_password_detection,
        textMessages: settings.text_messages,
      }
    }))!

function shield<Settings extends BruteForceProtection | SuspiciousIpThrottling>(settings: Settings): Shield<Settings> {
  const trusted = allowlist(settings.allowlist)
  return {
    settings,
    blocks: settings.enabled && settings.shields.includes('block'),
    counts: (ip) => settings.enabled && !trusted(ip),
  }
}
