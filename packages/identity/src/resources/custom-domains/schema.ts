import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'
import { textChangesUpTo, textsUpTo } from '../metadata.ts'
import { FieldsQuery } from '../wire.ts'

/**
 * Who ends TLS sends the address of a browser in X-Forwarded-For, and which proxies are believed is a setting of the
 * server. Passkeys, which would need an identifier of their own, do not exist here.
 */
export const inert = {
  verification_method: only('txt'),
  tls_policy: only('recommended'),
  custom_client_ip_header: only(null, ''),
  relying_party_identifier: only(null),
}

const { verification_method, ...changeable } = inert

export const CreateCustomDomain = Exact({
  domain: Type.String({ minLength: 1, maxLength: 255 }),
  type: OneOf('auth0_managed_certs', 'self_managed_certs'),
  domain_metadata: Type.Optional(textsUpTo(10)),
  ...inertMembers({ verification_method, ...changeable }),
})
export type CreateCustomDomain = Static<typeof CreateCustomDomain>

/** domain_metadata is merged: null takes a key away. */
export const UpdateCustomDomain = Exact({
  domain_metadata: Type.Optional(textChangesUpTo(20)),
  ...inertMembers(changeable),
})
export type UpdateCustomDomain = Static<typeof UpdateCustomDomain>

const members = {
  custom_domain_id: Type.String(),
  domain: Type.String(),
  primary: Type.Boolean(),
  is_default: Type.Boolean(),
  status: Type.String(),
  type: Type.String(),
  verification: Type.Object({
    methods: Type.Array(Type.Object({ name: Type.String(), record: Type.String(), domain: Type.String() })),
  }),
  tls_policy: Type.String(),
  domain_metadata: Type.Record(Type.String(), Type.String()),
}
export const CustomDomain = Type.Object(members)
export type CustomDomain = Static<typeof CustomDomain>
export const ListedCustomDomain = Type.Partial(CustomDomain)

/** A custom domain, or the domain that the environment has anyway. */
export const DefaultDomain = Type.Union([CustomDomain, Type.Object({ domain: Type.String() })])

export const CustomDomainId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
export const SetDefaultDomain = Exact({ domain: Type.String({ minLength: 1, maxLength: 255 }) })
export const ListCustomDomains = Exact({
  ...FieldsQuery,
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
  sort: Type.Optional(OneOf('domain:1')),
})
