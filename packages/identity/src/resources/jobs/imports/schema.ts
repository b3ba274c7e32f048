/** What a row of an import file may hold: Auth0's schema for bulk imports, with an end to every text. */
import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { FreeForm } from '../../wire.ts'

const Name = Type.String({ minLength: 1, maxLength: 300 })
const GivenName = Type.String({ minLength: 1, maxLength: 150 })
const Encoding = OneOf('base64', 'hex', 'utf8')
const Value = Type.String({ maxLength: 4096 })

const CustomPasswordHash = Exact({
  algorithm: OneOf('argon2', 'bcrypt', 'hmac', 'ldap', 'md4', 'md5', 'sha1', 'sha256', 'sha512', 'pbkdf2', 'scrypt'),
  hash: Exact({
    value: Type.String({ minLength: 1, maxLength: 4096 }),
    encoding: Type.Optional(Encoding),
    digest: Type.Optional(Type.String({ maxLength: 32 })),
    key: Type.Optional(Exact({ value: Value, encoding: Type.Optional(Encoding) })),
  }),
  salt: Type.Optional(
    Exact({ value: Value, encoding: Type.Optional(Encoding), position: Type.Optional(OneOf('prefix', 'suffix')) }),
  ),
  password: Type.Optional(
    Exact({ encoding: Type.Optional(OneOf('ascii', 'utf8', 'utf16le', 'ucs2', 'latin1', 'binary')) }),
  ),
  keylen: Type.Optional(Type.Integer()),
  cost: Type.Optional(Type.Integer()),
  blockSize: Type.Optional(Type.Integer()),
  parallelization: Type.Optional(Type.Integer()),
})

export const ImportedUser = Exact({
  email: Type.String({ minLength: 3, maxLength: 320 }),
  email_verified: Type.Optional(Type.Boolean()),
  // Without the prefix, which the strategy sets.
  user_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._@+=-]{1,200}$' })),
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  given_name: Type.Optional(GivenName),
  family_name: Type.Optional(GivenName),
  name: Type.Optional(Name),
  nickname: Type.Optional(Name),
  picture: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
  blocked: Type.Optional(Type.Boolean()),
  app_metadata: Type.Optional(FreeForm),
  user_metadata: Type.Optional(FreeForm),
  password_hash: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  custom_password_hash: Type.Optional(CustomPasswordHash),
  mfa_factors: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 10 })),
})
export type ImportedUser = Static<typeof ImportedUser>

/** What comes with the file. Fields of a form are texts. */
export const ImportForm = Exact({
  connection_id: Type.String({ minLength: 1, maxLength: 64 }),
  upsert: Type.Optional(OneOf('true', 'false')),
  external_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000]*$' })),
  send_completion_email: Type.Optional(OneOf('true', 'false')),
})
export type ImportForm = Static<typeof ImportForm>

/** The whole form, for the reference. */
export const ImportBody = Exact({
  ...ImportForm.properties,
  users: Type.String({ format: 'binary', description: 'A file with a JSON array of users.' }),
})
