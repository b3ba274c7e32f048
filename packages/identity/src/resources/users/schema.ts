import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'
import { FreeForm, Timestamp } from '../wire.ts'

/** Auth0's member that would need something that does not exist here: a text by which a number is proven outside of a login. */
export const inert = { verify_phone_number: only(false) }

/** Bounds only; isEmailAddress decides. */
const Email = Type.String({ minLength: 3, maxLength: 320 })
/** Bounds only; phoneNumber decides. */
const Phone = Type.String({ minLength: 1, maxLength: 40 })
/** Bounds only; the connection decides. */
const Username = Type.String({ minLength: 1, maxLength: 128 })
const Name = Type.String({ minLength: 1, maxLength: 300 })
const GivenName = Type.String({ minLength: 1, maxLength: 150 })
const Picture = Type.String({ minLength: 1, maxLength: 2048 })
/** Bounds only; the connection's policy decides. */
const Password = Type.String({ minLength: 1, maxLength: 4096 })

export const CreateUser = Exact({
  connection: Type.String({ minLength: 1, maxLength: 128 }),
  // Which of these three there must be, and which there may be, the connection decides.
  email: Type.Optional(Email),
  password: Type.Optional(Password),
  phone_number: Type.Optional(Nullable(Phone)),
  phone_verified: Type.Optional(Type.Boolean()),
  username: Type.Optional(Nullable(Username)),
  // Without the prefix, which the strategy sets.
  user_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._@+=-]{1,200}$' })),
  email_verified: Type.Optional(Type.Boolean()),
  name: Type.Optional(Name),
  nickname: Type.Optional(Name),
  given_name: Type.Optional(GivenName),
  family_name: Type.Optional(GivenName),
  picture: Type.Optional(Picture),
  blocked: Type.Optional(Type.Boolean()),
  user_metadata: Type.Optional(FreeForm),
  app_metadata: Type.Optional(FreeForm),
  // Sends the mail that proves the address; `client_id` is the application that it speaks for.
  verify_email: Type.Optional(Type.Boolean()),
  client_id: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 64 }))),
  ...inertMembers(inert),
})
export type CreateUser = Static<typeof CreateUser>

/** Metadata is merged at its top level; null takes a key, or an optional text, away. */
export const UpdateUser = Exact({
  connection: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  email: Type.Optional(Email),
  password: Type.Optional(Password),
  phone_number: Type.Optional(Nullable(Phone)),
  phone_verified: Type.Optional(Type.Boolean()),
  username: Type.Optional(Nullable(Username)),
  email_verified: Type.Optional(Type.Boolean()),
  name: Type.Optional(Nullable(Name)),
  nickname: Type.Optional(Nullable(Name)),
  given_name: Type.Optional(Nullable(GivenName)),
  family_name: Type.Optional(Nullable(GivenName)),
  picture: Type.Optional(Nullable(Picture)),
  blocked: Type.Optional(Type.Boolean()),
  user_metadata: Type.Optional(FreeForm),
  app_metadata: Type.Optional(FreeForm),
  // Sends the mail that proves the address; `client_id` is the application that it speaks for.
  verify_email: Type.Optional(Type.Boolean()),
  client_id: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 64 }))),
  ...inertMembers(inert),
})
export type UpdateUser = Static<typeof UpdateUser>

export const Identity = Type.Object({
  connection: Type.String(),
  user_id: Type.String(),
  provider: Type.String(),
  isSocial: Type.Boolean(),
  profileData: Type.Optional(FreeForm),
})

export const User = Type.Object({
  user_id: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  email_verified: Type.Optional(Type.Boolean()),
  username: Type.Optional(Type.String()),
  phone_number: Type.Optional(Type.String()),
  phone_verified: Type.Optional(Type.Boolean()),
  name: Type.Optional(Type.String()),
  nickname: Type.Optional(Type.String()),
  given_name: Type.Optional(Type.String()),
  family_name: Type.Optional(Type.String()),
  picture: Type.Optional(Type.String()),
  identities: Type.Optional(Type.Array(Identity)),
  user_metadata: Type.Optional(FreeForm),
  app_metadata: Type.Optional(FreeForm),
  blocked: Type.Optional(Type.Boolean()),
  last_password_reset: Type.Optional(Timestamp),
  last_login: Type.Optional(Timestamp),
  last_ip: Type.Optional(Type.String()),
  logins_count: Type.Optional(Type.Integer()),
  created_at: Type.Optional(Timestamp),
  updated_at: Type.Optional(Timestamp),
})

export const UserId = Exact({ id: Type.String({ minLength: 1, maxLength: 300 }) })

const SORTABLE = ['user_id', 'email', 'name', 'created_at', 'updated_at', 'last_login', 'logins_count'] as const

export const UserFilter = {
  connection: Type.Optional(Type.String({ maxLength: 128 })),
  sort: Type.Optional(OneOf(...SORTABLE.flatMap((column) => [`${column}:1`, `${column}:-1`]))),
  q: Type.Optional(Type.String({ maxLength: 4096 })),
  // v2 and v3 are answered alike.
  search_engine: Type.Optional(OneOf('v2', 'v3')),
  // Asks for results in an order that repeats; every order here does.
  primary_order: Type.Optional(Type.Boolean()),
}
