import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

/** Bounds only; `parseRange` decides. */
const Allowlist = Type.Array(Type.String({ minLength: 2, maxLength: 50 }), { maxItems: 100 })

const stage = <Maximum extends number>(maximum: Maximum, slowest: number) =>
  Exact({
    max_attempts: Type.Optional(Type.Integer({ minimum: 1, maximum })),
    rate: Type.Optional(Type.Integer({ minimum: 1, maximum: slowest })),
  })

export const BruteForceProtection = Exact({
  enabled: Type.Optional(Type.Boolean()),
  shields: Type.Optional(Type.Array(OneOf('block', 'user_notification'), { maxItems: 2, uniqueItems: true })),
  allowlist: Type.Optional(Allowlist),
  mode: Type.Optional(OneOf('count_per_identifier_and_ip', 'count_per_identifier')),
  max_attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
})
export type BruteForceProtectionChange = Static<typeof BruteForceProtection>

export const SuspiciousIpThrottling = Exact({
  enabled: Type.Optional(Type.Boolean()),
  shields: Type.Optional(Type.Array(OneOf('block', 'admin_notification'), { maxItems: 2, uniqueItems: true })),
  allowlist: Type.Optional(Allowlist),
  stage: Type.Optional(
    Exact({
      'pre-login': Type.Optional(
        Exact({
          max_attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 2500 })),
          rate: Type.Optional(Type.Integer({ minimum: 34_560, maximum: 86_400_000 })),
        }),
      ),
      'pre-user-registration': Type.Optional(stage(72_000, 86_400_000)),
      'pre-custom-token-exchange': Type.Optional(stage(72_000, 86_400_000)),
    }),
  ),
})
export type SuspiciousIpThrottlingChange = Static<typeof SuspiciousIpThrottling>

export const PhoneProviderProtection = Exact({
  type: Type.Optional(OneOf('default', 'exponential')),
  text_messages: Type.Optional(stage(100_000, 86_400_000)),
})
export type PhoneProviderProtectionChange = Static<typeof PhoneProviderProtection>

const AtStage = Exact({
  shields: Type.Optional(Type.Array(OneOf('block', 'admin_notification'), { maxItems: 2, uniqueItems: true })),
})
export const BreachedPasswordDetection = Exact({
  enabled: Type.Optional(Type.Boolean()),
  shields: Type.Optional(
    Type.Array(OneOf('block', 'user_notification', 'admin_notification'), { maxItems: 3, uniqueItems: true }),
  ),
  admin_notification_frequency: Type.Optional(
    Type.Array(OneOf('immediately', 'daily', 'weekly', 'monthly'), { maxItems: 4, uniqueItems: true }),
  ),
  method: Type.Optional(OneOf('standard', 'enhanced')),
  stage: Type.Optional(
    Exact({ 'pre-user-registration': Type.Optional(AtStage), 'pre-change-password': Type.Optional(AtStage) }),
  ),
})
export type BreachedPasswordDetectionChange = Static<typeof BreachedPasswordDetection>

/** Protections that do not exist here: what they answer, and by what each member may be set to. */
export const ABSENT = {
  'bot-detection': {
    bot_detection_level: 'medium',
    challenge_password_policy: 'never',
    challenge_passwordless_policy: 'never',
    challenge_password_reset_policy: 'never',
    allowlist: [],
    monitoring_mode_enabled: false,
  },
  captcha: {
    auth_challenge: { fail_open: false },
    simple_captcha: {},
  },
} as const

/** Members that Auth0 has and that no value of would change nothing: each one names a provider of challenges. */
const CAPTCHA_PROVIDERS = [
  'active_provider_id',
  'arkose',
  'hcaptcha',
  'friendly_captcha',
  'recaptcha_enterprise',
  'recaptcha_v2',
]

export type AbsentProtection = keyof typeof ABSENT

export const inertOf = (name: AbsentProtection) => ({
  ...Object.fromEntries(Object.entries(ABSENT[name]).map(([member, value]) => [member, only(value)])),
  ...(name === 'captcha' ? Object.fromEntries(CAPTCHA_PROVIDERS.map((member) => [member, only(null)])) : {}),
})

export const absentBody = (name: AbsentProtection) => Exact(inertMembers(inertOf(name)))
