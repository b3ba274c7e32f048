import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Timestamp } from '../wire.ts'

export const SigningKey = Type.Object({
  kid: Type.String(),
  cert: Type.String(),
  fingerprint: Type.String(),
  thumbprint: Type.String(),
  current: Type.Optional(Type.Boolean()),
  next: Type.Optional(Type.Boolean()),
  previous: Type.Optional(Type.Boolean()),
  revoked: Type.Optional(Type.Boolean()),
  current_since: Type.Optional(Timestamp),
  current_until: Type.Optional(Timestamp),
  revoked_at: Type.Optional(Timestamp),
})

/** What a rotation and a revocation answer with. */
export const KeyCertificate = Type.Object({ kid: Type.String(), cert: Type.String() })

export const KeyId = Exact({ kid: Type.String({ minLength: 1, maxLength: 64 }) })
