import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

export const Scope = Exact({
  // RFC 6749 §3.3: scope tokens are separated by spaces, so none can be inside.
  value: Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$', maxLength: 280 }),
  description: Type.Optional(Type.String({ maxLength: 500 })),
})
export type Scope = Static<typeof Scope>

/** Whose access tokens are bound to a key of theirs. Certificates at the connection (mtls) are not read here. */
export const ProofOfPossession = Exact({
  mechanism: OneOf('dpop', 'mtls'),
  required: Type.Boolean(),
  required_for: Type.Optional(OneOf('public_clients', 'all_clients')),
})
export type ProofOfPossession = Static<typeof ProofOfPossession>

const SigningAlgorithm = OneOf('RS256', 'RS512', 'PS256')

/** Auth0's members that nothing here obeys, at the values that change nothing. */
export const inert = {
  allow_online_access: only(false),
  allow_online_access_with_ephemeral_sessions: only(false),
  token_lifetime_for_anonymous_access_tokens: only(null),
  token_encryption: only(null),
  consent_policy: only(null),
  authorization_details: only(null, []),
  subject_type_authorization: only({ user: { policy: 'allow_all' }, client: { policy: 'require_client_grant' } }),
  authorization_policy: only(null),
}

/** 30 days, as at Auth0. */
const Lifetime = Type.Integer({ minimum: 1, maximum: 2_592_000 })

const settings = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: '^[^<>]*$' })),
  scopes: Type.Optional(Type.Array(Scope, { maxItems: 1000 })),
  allow_offline_access: Type.Optional(Type.Boolean()),
  skip_consent_for_verifiable_first_party_clients: Type.Optional(Type.Boolean()),
  token_lifetime: Type.Optional(Lifetime),
  token_lifetime_for_web: Type.Optional(Lifetime),
  enforce_policies: Type.Optional(Type.Boolean()),
  proof_of_possession: Type.Optional(Nullable(ProofOfPossession)),
  // HS256 would need a secret that is shared with whoever verifies.
  signing_alg: Type.Optional(Type.Union([SigningAlgorithm, Type.Literal('HS256')])),
  token_dialect: Type.Optional(OneOf('access_token', 'access_token_authz', 'rfc9068_profile', 'rfc9068_profile_authz')),
  ...inertMembers(inert),
}

export const CreateResourceServer = Exact({
  // Any text without spaces; a URI is only a habit. It travels in `aud` and in query strings.
  identifier: Type.String({ minLength: 1, maxLength: 600, pattern: '^[\\x21-\\x7E]+$' }),
  ...settings,
})
export type CreateResourceServer = Static<typeof CreateResourceServer>

export const UpdateResourceServer = Exact(settings)
export type UpdateResourceServer = Static<typeof UpdateResourceServer>

export const ResourceServer = Type.Object({
  id: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  is_system: Type.Optional(Type.Boolean()),
  identifier: Type.Optional(Type.String()),
  scopes: Type.Optional(Type.Array(Scope)),
  signing_alg: Type.Optional(Type.String()),
  allow_offline_access: Type.Optional(Type.Boolean()),
  skip_consent_for_verifiable_first_party_clients: Type.Optional(Type.Boolean()),
  token_lifetime: Type.Optional(Type.Integer()),
  token_lifetime_for_web: Type.Optional(Type.Integer()),
  enforce_policies: Type.Optional(Type.Boolean()),
  token_dialect: Type.Optional(Type.String()),
  proof_of_possession: Type.Optional(Nullable(ProofOfPossession)),
})

/** The id, or the identifier percent-encoded. */
export const ResourceServerId = Exact({ id: Type.String({ minLength: 1, maxLength: 600 }) })

export const Identifiers = Type.Optional(
  Type.Union([Type.String({ maxLength: 600 }), Type.Array(Type.String({ maxLength: 600 }), { maxItems: 100 })]),
)
