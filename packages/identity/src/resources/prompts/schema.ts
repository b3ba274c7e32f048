import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { LOCALES } from '../../languages.ts'

/** Auth0's prompts. */
export const Prompt = OneOf(
  ...['login', 'login-id', 'login-password', 'login-passwordless', 'login-email-verification', 'signup', 'signup-id'],
  ...['signup-password', 'phone-identifier-enrollment', 'phone-identifier-challenge', 'email-identifier-challenge'],
  ...['reset-password', 'custom-form', 'consent', 'customized-consent', 'logout', 'mfa-push', 'mfa-otp', 'mfa-voice'],
  ...['mfa-phone', 'mfa-webauthn', 'mfa-sms', 'mfa-email', 'mfa-recovery-code', 'mfa', 'status', 'device-flow'],
  ...['email-verification', 'email-otp-challenge', 'organizations', 'invitation', 'common', 'passkeys', 'captcha'],
  ...['brute-force-protection', 'async-approval-flow', 'pre-login-organization-picker', 'login-mfa'],
)

export const PromptPath = Exact({ prompt: Prompt })
export const TextPath = Exact({ prompt: Prompt, language: OneOf(...LOCALES) })

/** {screen: {name: text}}; what names there are is said by the pages. */
export const CustomTexts = Type.Record(
  Type.String(),
  Type.Record(Type.String(), Type.String({ maxLength: 2000 }), { maxProperties: 200 }),
  { maxProperties: 20 },
)
export type CustomTexts = Static<typeof CustomTexts>

export const INSERTION_POINTS = [
  ...['form-content-start', 'form-content-end', 'form-footer-start', 'form-footer-end'],
  ...['secondary-actions-start', 'secondary-actions-end'],
]
const Partial = Type.Optional(Type.String({ maxLength: 20_000 }))
/** {screen: {insertion point: Liquid}} */
export const Partials = Type.Record(
  Type.String(),
  Exact(Object.fromEntries(INSERTION_POINTS.map((point) => [point, Partial]))),
  { maxProperties: 20 },
)
export type Partials = Record<string, Record<string, string>>
