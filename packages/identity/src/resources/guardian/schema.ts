import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'

/** As Auth0 lists them. */
export const NAMES = [
  'sms',
  'push-notification',
  'otp',
  'email',
  'duo',
  'webauthn-roaming',
  'webauthn-platform',
  'recovery-code',
] as const

/** Those that people can be asked for here. */
export const SERVED = ['webauthn-roaming', 'webauthn-platform', 'sms', 'otp', 'email', 'recovery-code'] as const

export const Factor = Type.Object({ name: Type.String(), enabled: Type.Boolean(), trial_expired: Type.Boolean() })
export const FactorPath = Exact({ name: OneOf(...NAMES) })
export const Switch = Exact({ enabled: Type.Boolean() })

export const Policies = Type.Array(OneOf('all-applications', 'confidence-score'), { maxItems: 2, uniqueItems: true })

export const MessageTypes = Exact({
  message_types: Type.Array(OneOf('sms', 'voice'), { maxItems: 2, uniqueItems: true }),
})
export const SelectedProvider = Exact({ provider: OneOf('auth0', 'twilio', 'phone-message-hook') })

const Message = Type.String({ minLength: 1, maxLength: 400 })
export const SmsTemplates = Exact({ enrollment_message: Message, verification_message: Message })
