/**
 * Attack protection: limits on guessing passwords, obeyed by the login (login/lockout.ts), and passwords that are known from
 * leaks (leaks.ts). Auth0's others answer that they are off and cannot be turned on.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type { BreachedPasswords } from '../../upstream/database/breached.ts'
import { refuseActive } from '../inert.ts'
import { refusals } from '../management-api.ts'
import { FreeForm } from '../wire.ts'
import { changedBreachDetection, changedBruteForce, changedTextMessages, changedThrottling } from './rules.ts'
import {
  ABSENT,
  type AbsentProtection,
  absentBody,
  BreachedPasswordDetection,
  BruteForceProtection,
  inertOf,
  PhoneProviderProtection,
  SuspiciousIpThrottling,
} from './schema.ts'
import { effective, type Stage } from './settings.ts'
import * as store from './store.ts'

const tags = ['attack-protection']
const read = { scope: 'read:attack_protection' }
const update = { scope: 'update:attack_protection' }

const OPERATIONS: Record<AbsentProtection, { id: string; of: string }> = {
  'bot-detection': { id: 'BotDetection', of: 'the detection of bots' },
  captcha: { id: 'Captcha', of: 'challenges' },
}

const shownTextMessages = (text_messages: Stage) => ({ type: 'default' as const, text_messages })

export const attackProtection: Slice<{ database: Database; breachedPasswords: BreachedPasswords | undefined }> =
  ({ database, breachedPasswords }) =>
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

    app.get(
      '/attack-protection/breached-password-detection',
      {
        config: read,
        schema: {
          operationId: 'getBreachedPasswordDetection',
          summary: 'Get what happens with passwords that are known from leaks',
          tags,
          response: { 200: BreachedPasswordDetection, ...refusals() },
        },
      },
      async (request) => (await settings(request.environment.id)).breached_password_detection,
    )

    app.patch(
      '/attack-protection/breached-password-detection',
      {
        config: update,
        schema: {
          operationId: 'updateBreachedPasswordDetection',
          summary: 'Change what happens with passwords that are known from leaks',
          tags,
          body: BreachedPasswordDetection,
          response: { 200: BreachedPasswordDetection, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const current = effective(await store.lock(tx, environment.id))
          const next = changedBreachDetection(current.breached_password_detection, body, {
            isAvailable: breachedPasswords !== undefined,
            adminAddress: environment.settings.support_email,
          })
          await store.save(tx, { breached_password_detection: next })
          return next
        }),
    )

    app.get(
      '/attack-protection/phone-provider-protection',
      {
        config: read,
        schema: {
          operationId: 'getPhoneProviderProtection',
          summary: 'Get the limit on text messages of the environment',
          tags,
          response: { 200: PhoneProviderProtection, ...refusals() },
        },
      },
      async (request) => shownTextMessages((await settings(request.environment.id)).text_messages),
    )

    app.patch(
      '/attack-protection/phone-provider-protection',
      {
        config: update,
        schema: {
          operationId: 'updatePhoneProviderProtection',
          summary: 'Change the limit on text messages of the environment',
          tags,
          body: PhoneProviderProtection,
          response: { 200: PhoneProviderProtection, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const current = effective(await store.lock(tx, environment.id))
          const next = changedTextMessages(current.text_messages, body)
          await store.save(tx, { text_messages: next })
          return shownTextMessages(next)
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
