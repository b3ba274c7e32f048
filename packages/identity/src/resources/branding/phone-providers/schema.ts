import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { Timestamp } from '../../wire.ts'

const Name = Type.Unsafe<'twilio' | 'custom'>(OneOf('twilio', 'custom'))
/** `voice` is known, so that the answer is about it. */
const DeliveryMethods = Type.Array(OneOf('text', 'voice'), { minItems: 1, maxItems: 2, uniqueItems: true })
const Sender = Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 255 })))

/** Twilio's members and those of a webhook; which of them are due is said by the rules, with words. */
const Configuration = Exact({
  delivery_methods: DeliveryMethods,
  sid: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9]{1,255}$' })),
  default_from: Sender,
  mssid: Sender,
  /** Where a custom provider takes messages; Auth0 runs an Action in its place. */
  webhook_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
})
const Credentials = Exact({
  auth_token: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  webhook_secret: Type.Optional(Type.String({ minLength: 16, maxLength: 255 })),
})

export const CreatePhoneProvider = Exact({
  name: Name,
  disabled: Type.Optional(Type.Boolean()),
  configuration: Type.Optional(Configuration),
  credentials: Credentials,
})
export type CreatePhoneProvider = Static<typeof CreatePhoneProvider>

export const UpdatePhoneProvider = Exact({
  name: Type.Optional(Name),
  disabled: Type.Optional(Type.Boolean()),
  configuration: Type.Optional(Configuration),
  credentials: Type.Optional(Credentials),
})
export type UpdatePhoneProvider = Static<typeof UpdatePhoneProvider>

export const PhoneProvider = Type.Object({
  id: Type.String(),
  tenant: Type.String(),
  name: Type.String(),
  channel: Type.Literal('phone'),
  disabled: Type.Boolean(),
  configuration: Type.Object({
    sid: Type.Optional(Type.String()),
    default_from: Type.Optional(Type.String()),
    mssid: Type.Optional(Type.String()),
    webhook_url: Type.Optional(Type.String()),
    delivery_methods: Type.Array(Type.String()),
  }),
  created_at: Timestamp,
  updated_at: Timestamp,
})

export const ProviderId = Exact({ id: Type.String({ minLength: 1, maxLength: 255 }) })
/** What a try is sent to. */
export const TryProvider = Exact({
  to: Type.String({ minLength: 2, maxLength: 20 }),
  delivery_method: Type.Optional(OneOf('text', 'voice')),
})
