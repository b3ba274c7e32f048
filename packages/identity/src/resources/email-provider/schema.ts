import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { only } from '../inert.ts'

/** Auth0's names of providers; `smtp` is the one that mail leaves by. */
const Name = OneOf(
  'custom',
  'mailgun',
  'mandrill',
  'sendgrid',
  'resend',
  'ses',
  'sparkpost',
  'smtp',
  'azure_cs',
  'ms365',
)

/** SMTP's members are obeyed; those of other providers are only known, so that the answer is about their name. */
const Credentials = Exact({
  smtp_host: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,253}$' })),
  smtp_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  smtp_user: Type.Optional(Type.String({ maxLength: 320 })),
  smtp_pass: Type.Optional(Type.String({ maxLength: 1024 })),
  ...Object.fromEntries(
    [
      ...['api_key', 'api_user', 'domain', 'region', 'accessKeyId', 'secretAccessKey', 'connectionString'],
      ...['tenantId', 'clientId', 'clientSecret'],
    ].map((name) => [name, Type.Optional(Type.Unknown())]),
  ),
})
export interface SmtpCredentials {
  smtp_host?: string
  smtp_port?: number
  smtp_user?: string
  smtp_pass?: string
}

const shared = {
  enabled: Type.Optional(Type.Boolean()),
  default_from_address: Type.Optional(Nullable(Type.String({ maxLength: 400 }))),
  settings: Type.Optional(Type.Unknown()),
}

export const CreateProvider = Exact({ name: Name, credentials: Credentials, ...shared })
export type CreateProvider = Static<typeof CreateProvider>
export const UpdateProvider = Exact({ name: Type.Optional(Name), credentials: Type.Optional(Credentials), ...shared })
export type UpdateProvider = Static<typeof UpdateProvider>

/** Headers for other providers' own features. */
export const inert = { settings: only({}, null) }

export const Provider = Type.Object({
  name: Type.Optional(Type.String()),
  enabled: Type.Optional(Type.Boolean()),
  default_from_address: Type.Optional(Type.String()),
  credentials: Type.Optional(
    Type.Object({
      smtp_host: Type.Optional(Type.String()),
      smtp_port: Type.Optional(Type.Integer()),
      smtp_user: Type.Optional(Type.String()),
    }),
  ),
  settings: Type.Optional(Type.Object({})),
})
