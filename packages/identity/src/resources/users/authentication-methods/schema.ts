import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { Timestamp } from '../../wire.ts'
import { UserId } from '../schema.ts'

const Text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }))

/** Bounds only; `rules.ts` decides. */
const contact = {
  name: Text(200),
  totp_secret: Text(200),
  phone_number: Text(40),
  email: Text(320),
  preferred_authentication_method: Type.Optional(OneOf('sms', 'voice')),
}

export const CreateMethod = Exact({
  type: OneOf('phone', 'email', 'totp', 'webauthn-roaming', 'passkey'),
  ...contact,
  key_id: Text(1000),
  public_key: Text(4000),
  aaguid: Text(100),
  relying_party_identifier: Text(255),
  credential_device_type: Type.Optional(OneOf('single_device', 'multi_device')),
  credential_backed_up: Type.Optional(Type.Boolean()),
  identity_user_id: Text(300),
  user_agent: Text(1000),
  user_handle: Text(200),
  transports: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 10 })),
})
export type CreateMethod = Static<typeof CreateMethod>

const ReplacedMethod = Exact({ type: OneOf('phone', 'email', 'totp'), ...contact })
export const ReplaceMethods = Type.Array(ReplacedMethod, { maxItems: 10 })

export const UpdateMethod = Exact({
  name: Text(200),
  preferred_authentication_method: Type.Optional(OneOf('sms', 'voice')),
})

export const Method = Type.Object({
  id: Type.String(),
  type: Type.String(),
  confirmed: Type.Boolean(),
  name: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  phone_number: Type.Optional(Type.String()),
  preferred_authentication_method: Type.Optional(Type.String()),
  authentication_methods: Type.Optional(Type.Array(Type.Object({ type: Type.String(), id: Type.String() }))),
  totp_secret: Type.Optional(Type.String()),
  key_id: Type.Optional(Type.String()),
  public_key: Type.Optional(Type.String()),
  transports: Type.Optional(Type.Array(Type.String())),
  relying_party_identifier: Type.Optional(Type.String()),
  credential_device_type: Type.Optional(Type.String()),
  credential_backed_up: Type.Optional(Type.Boolean()),
  user_agent: Type.Optional(Type.String()),
  created_at: Timestamp,
  enrolled_at: Type.Optional(Timestamp),
  last_auth_at: Type.Optional(Timestamp),
})

export const MethodId = Exact({ id: UserId.properties.id, method: Type.String({ minLength: 1, maxLength: 200 }) })
export const ProviderPath = Exact({ id: UserId.properties.id, provider: OneOf('duo', 'google-authenticator') })

export const Enrollment = Type.Object({
  id: Type.String(),
  status: Type.String(),
  type: Type.String(),
  name: Type.Optional(Type.String()),
  identifier: Type.Optional(Type.String()),
  phone_number: Type.Optional(Type.String()),
  auth_method: Type.Optional(Type.String()),
  enrolled_at: Type.Optional(Timestamp),
  last_auth: Type.Optional(Timestamp),
})
