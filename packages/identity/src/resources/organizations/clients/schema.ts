import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

const ClientId = Type.String({ minLength: 1, maxLength: 64 })

export const OrganizationClient = Type.Object({
  client_id: Type.String(),
  use_for_member_access: Type.Boolean(),
  client: Type.Object({
    name: Type.String(),
    app_type: Type.Optional(Type.String()),
    logo_uri: Type.Optional(Type.String()),
    is_first_party: Type.Boolean(),
    grant_types: Type.Array(Type.String()),
    organization_usage: Type.String(),
  }),
})

export const AddClients = Exact({
  clients: Type.Array(Exact({ client_id: ClientId, use_for_member_access: Type.Boolean() }), {
    minItems: 1,
    maxItems: 50,
  }),
})
export type AddClients = Static<typeof AddClients>

export const RemoveClients = Exact({ clients: Type.Array(ClientId, { minItems: 1, maxItems: 50 }) })
export const UpdateClient = Exact({ use_for_member_access: Type.Optional(Type.Boolean()) })
export const ClientPath = Exact({ id: Type.String({ maxLength: 64 }), client_id: ClientId })
