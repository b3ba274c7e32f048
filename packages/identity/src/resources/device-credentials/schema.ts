import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { OffsetQuery } from '../paging.ts'
import { FieldsQuery } from '../wire.ts'

export const DeviceCredential = Type.Object({
  id: Type.Optional(Type.String()),
  device_name: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
  client_id: Type.Optional(Type.String()),
})

export const ListDeviceCredentials = Exact({
  ...OffsetQuery,
  ...FieldsQuery,
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
  client_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  type: Type.Optional(OneOf('public_key', 'refresh_token', 'rotating_refresh_token')),
})

export const DeviceCredentialId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
