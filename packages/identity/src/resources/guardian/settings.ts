/** Which second factors an environment uses and when it demands one; read by every sign-in, so it is kept in memory. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { ConfigurationCache } from '../../configuration-cache.ts'
import { FACTORS, type FactorName } from '../users/authentication-methods/rules.ts'
import * as store from './store.ts'

export interface GuardianSettings {
  /** Those that are on, in the order in which they are offered. */
  factors: FactorName[]
  /** Whether every sign-in needs a second factor. */
  always: boolean
  smsTemplates: store.SmsTemplates
}

export type ReadGuardian = (environmentId: string) => Promise<GuardianSettings>

export const SMS_TEMPLATES: store.SmsTemplates = {
  enrollment_message: '{{ code }} is your code to confirm this number for {{ tenant.friendly_name }}.',
  verification_message: '{{ code }} is your code to sign in to {{ tenant.friendly_name }}.',
}

export const createGuardian =
  ({ database, cache }: { database: Database; cache: ConfigurationCache }): ReadGuardian =>
  async (environmentId) =>
    (await cache.remember(environmentId, ['guardian'], async () => {
      const [row] = await database.once(environmentId, (tx) => store.read(tx))
      return {
        factors: FACTORS.filter((name) => row?.factors.includes(name)),
        always: row?.policies.includes('all-applications') ?? false,
        smsTemplates: row?.sms_templates ?? SMS_TEMPLATES,
      }
    }))!
