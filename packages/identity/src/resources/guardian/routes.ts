/**
 * Guardian: which second factors an environment uses. There are none yet, which is what the lists say; turning one on is
 * refused, because nobody would be asked for it.
 */
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { unsupported } from '../inert.ts'
import { refusals } from '../management-api.ts'

const tags = ['guardian']

const FACTORS = [
  'sms',
  'push-notification',
  'otp',
  'email',
  'duo',
  'webauthn-roaming',
  'webauthn-platform',
  'recovery-code',
] as const

const Policies = Type.Array(OneOf('all-applications', 'confidence-score'), { maxItems: 2, uniqueItems: true })

export const guardian: Slice<object> = () => async (app) => {
  app.get(
    '/guardian/factors',
    {
      config: { scope: 'read:guardian_factors' },
      schema: {
        operationId: 'listFactors',
        summary: 'List the factors, and which are on',
        tags,
        response: {
          200: Type.Array(Type.Object({ name: Type.String(), enabled: Type.Boolean(), trial_expired: Type.Boolean() })),
          ...refusals(400),
        },
      },
    },
    async () => FACTORS.map((name) => ({ name, enabled: false, trial_expired: false })),
  )

  app.put(
    '/guardian/factors/:name',
    {
      config: { scope: 'update:guardian_factors' },
      schema: {
        operationId: 'setFactor',
        summary: 'Turn a factor on or off',
        tags,
        params: Exact({ name: OneOf(...FACTORS) }),
        body: Exact({ enabled: Type.Boolean() }),
        response: { 200: Type.Object({ enabled: Type.Boolean() }), ...refusals(400, 501) },
      },
    },
    async ({ params, body }) => {
      if (body.enabled) throw unsupported(`guardian factor ${params.name}`)
      return { enabled: false }
    },
  )

  app.get(
    '/guardian/policies',
    {
      config: { scope: 'read:mfa_policies' },
      schema: {
        operationId: 'listPolicies',
        summary: 'List when second factors are asked for; empty is never',
        tags,
        response: { 200: Policies, ...refusals(400) },
      },
    },
    async () => [],
  )

  app.put(
    '/guardian/policies',
    {
      config: { scope: 'update:mfa_policies' },
      schema: {
        operationId: 'setPolicies',
        summary: 'Set when second factors are asked for',
        tags,
        body: Policies,
        response: { 200: Policies, ...refusals(400, 501) },
      },
    },
    async ({ body }) => {
      if (body.length > 0) throw unsupported(`guardian policy ${body[0]}`)
      return []
    },
  )
}
