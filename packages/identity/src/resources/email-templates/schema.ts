import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

/** Auth0's names of templates. */
export const NAMES = [
  'verify_email',
  'verify_email_by_code',
  'auth_email_by_code',
  'reset_email',
  'reset_email_by_code',
  'change_password',
  'welcome_email',
  'blocked_account',
  'stolen_credentials',
  'enrollment_email',
  'mfa_oob_code',
  'user_invitation',
  'password_reset',
  'async_approval',
] as const
export type TemplateName = (typeof NAMES)[number]
const Name = Type.Unsafe<TemplateName>(OneOf(...NAMES))

/** Mails that are sent here. `change_password` is Auth0's older name of `reset_email`. */
export const SENT = [
  'verify_email',
  'reset_email',
  'welcome_email',
  'user_invitation',
  'mfa_oob_code',
  'enrollment_email',
  'blocked_account',
  'stolen_credentials',
] as const
export type SentTemplate = (typeof SENT)[number]

const members = {
  body: Type.Optional(Nullable(Type.String({ maxLength: 100_000 }))),
  from: Type.Optional(Nullable(Type.String({ maxLength: 400 }))),
  resultUrl: Type.Optional(Nullable(Type.String({ maxLength: 2048 }))),
  subject: Type.Optional(Nullable(Type.String({ maxLength: 1000 }))),
  syntax: Type.Optional(Nullable(Type.String({ maxLength: 20 }))),
  urlLifetimeInSeconds: Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: 2_592_000 }))),
  includeEmailInRedirect: Type.Optional(Type.Boolean()),
  enabled: Type.Optional(Nullable(Type.Boolean())),
}

export const EmailTemplateInput = Exact({ template: Name, ...members })
export type EmailTemplateInput = Static<typeof EmailTemplateInput>
export const UpdateEmailTemplate = Exact({ template: Type.Optional(Name), ...members })
export type UpdateEmailTemplate = Static<typeof UpdateEmailTemplate>

export const EmailTemplate = Type.Object({ template: Name, ...members })
/** Any text: what is no template's name answers 404. */
export const TemplateNamePath = Exact({ templateName: Type.String({ minLength: 1, maxLength: 100 }) })
