import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'

export const UserBlocks = Type.Object({
  blocked_for: Type.Array(
    Type.Object({
      identifier: Type.String(),
      /** Absent when the account is blocked wherever it is tried from. */
      ip: Type.Optional(Type.String()),
      connection: Type.Optional(Type.String()),
    }),
  ),
})

const enablement = { consider_brute_force_enablement: Type.Optional(Type.Boolean()) }
const identifier = Type.String({ minLength: 1, maxLength: 254 })

export const ListByIdentifier = Exact({ identifier, ...enablement })
export const DeleteByIdentifier = Exact({ identifier })
export const ListOfUser = Exact(enablement)
export const UserId = Exact({ id: Type.String({ minLength: 1, maxLength: 300 }) })

/** Bounds only; what is no address is refused by the route. */
export const BlockedAddress = Exact({ id: Type.String({ minLength: 2, maxLength: 60 }) })
