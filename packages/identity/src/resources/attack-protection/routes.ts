/**
 * Attack protection: limits on guessing passwords. Two protections exist and are obeyed by the login (login/lockout.ts);
 * Auth0's others answer that they are off and cannot be turned on.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { refuseActive } from '../inert.ts'
import { refusals } from '../management-api.ts'
import { FreeForm } from '../wire.ts'
import { changedBruteForce, changedThrottling } from './rules.ts'
import {
  ABSENT,
  type AbsentProtection,
  absentBody,
  BruteForceProtection,
  inertOf,
  SuspiciousIpThrottling,
} from './schema.ts'
import { effective } from './settings.ts'
import * as store from './store.ts'

const tags = ['attack-protection']
const read = { scope: 'read:attack_protection' }
const update = { scope: 'update:attack_protection' }

const OPERATIONS: Record<AbsentProtection, { id: string; of: string }> = {
  'breached-password-detection': { id: 'BreachedPasswordDetection', of: 'the detection of breached passwords' },
  'bot-detection': { id: 'BotDetection', of: 'the detection of bots' },
  captcha: { id: 'Captcha', of: 'challenges' },
  'phone-provider-protection': { id: 'PhoneProviderProtection', of: 'the protection of phone providers' },
}

export const attackProtection: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    const settings = async (environmentId: string) =>
      effective((await database.once(environmentId, (tx) => store.read(tx)))[0])

    app.get(
      '/attack-protection/brute-force-protection',
      {
        config: read,
        schema: {
          operationId: 'getBruteForceProtection',
          summary: 'Get the limits on guessing the password of an account',
          tags,
          response: { 200: BruteForceProtection, ...refusals() },
        },
      },
      async (request) => (await settings(request.environment.id)).brute_force_protection,
    )

    app.patch(
      '/attack-protection/brute-force-protection',
      {
        config: update,
        schema: {
          operationId: 'updateBruteForceProtection',
          summary: 'Change the limits on guessing the password of an account',
          tags,
          body: BruteForceProtection,
          response: { 200: BruteForceProtection, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const current = effective(await store.lock(tx, environment.id))
          const next = changedBruteForce(current.brute_force_protection, body)
          await store.save(tx, { brute_force_protection: next })
          return next
        }),
    )

    app.get(
      '/attack-protection/suspicious-ip-throttling',
      {
        config: read,
        schema: {
          operationId: 'getSuspiciousIpThrottling',
          summary: 'Get the limits on tries from one address',
          tags,
          response: { 200: SuspiciousIpThrottling, ...refusals() },
        },
      },
      async (request) => (await settings(request.environment.id)).suspicious_ip_throttling,
    )

    app.patch(
      '/attack-protection/suspicious-ip-throttling',
      {
        config: update,
        schema: {
          operationId: 'updateSuspiciousIpThrottling',
          summary: 'Change the limits on tries from one address',
          tags,
          body: SuspiciousIpThrottling,
          response: { 200: SuspiciousIpThrottling, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const current = effective(await store.lock(tx, environment.id))
          const next = changedThrottling(current.suspicious_ip_throttling, body)
          await store.save(tx, { suspicious_ip_throttling: next })
          return next
        }),
    )

    for (const name of Object.keys(OPERATIONS) as AbsentProtection[]) {
      const { id, of } = OPERATIONS[name]
      app.get(
        `/attack-protection/${name}`,
        {
          config: read,
          schema: {
            operationId: `get${id}`,
            summary: `Get the settings of ${of}, which is off`,
            tags,
            response: { 200: FreeForm, ...refusals() },
          },
        },
        async () => ABSENT[name],
      )
      app.patch(
        `/attack-protection/${name}`,
        {
          config: update,
          schema: {
            operationId: `update${id}`,
            summary: `Accept the settings of ${of} as they are; it cannot be turned on`,
            tags,
            body: absentBody(name),
            response: { 200: FreeForm, ...refusals(400, 501) },
          },
        },
        async ({ body }) => {
          refuseActive(inertOf(name), body)
          return ABSENT[name]
        },
      )
    }
  }
