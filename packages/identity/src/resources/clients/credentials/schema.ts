import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { Timestamp } from '../../wire.ts'

export const Algorithm = OneOf('RS256', 'RS384', 'PS256')
export type Algorithm = Static<typeof Algorithm>

const ExpiresAt = Type.String({ format: 'date-time', maxLength: 40 })

export const CreateCredential = Exact({
  credential_type: OneOf('public_key', 'cert_subject_dn', 'x509_cert'),
  name: Type.Optional(Type.String({ maxLength: 128 })),
  /** A public key or an X.509 certificate. */
  pem: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })),
  alg: Type.Optional(Algorithm),
  kid: Type.Optional(Type.String({ pattern: '^[0-9A-Za-z._~-]{10,64}$' })),
  parse_expiry_from_cert: Type.Optional(Type.Boolean()),
  expires_at: Type.Optional(ExpiresAt),
  // Of the other types, which are refused by name.
  subject_dn: Type.Optional(Type.String({ maxLength: 256 })),
})
export type CreateCredential = Static<typeof CreateCredential>

/** null takes the expiry away. */
export const UpdateCredential = Exact({ expires_at: Type.Optional(Nullable(ExpiresAt)) })

export const Credential = Type.Object({
  id: Type.String(),
  name: Type.Optional(Type.String()),
  kid: Type.String(),
  alg: Type.String(),
  credential_type: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  expires_at: Type.Optional(Timestamp),
})

export const OwnerId = Exact({ client_id: Type.String({ minLength: 1, maxLength: 64 }) })
export const CredentialId = Exact({
  client_id: Type.String({ minLength: 1, maxLength: 64 }),
  credential_id: Type.String({ minLength: 1, maxLength: 64 }),
})
