import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { FreeForm, Timestamp } from '../wire.ts'

export const Log = Type.Object({
  _id: Type.Optional(Type.String()),
  log_id: Type.Optional(Type.String()),
  date: Type.Optional(Timestamp),
  type: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  connection: Type.Optional(Type.String()),
  connection_id: Type.Optional(Type.String()),
  client_id: Type.Optional(Type.String()),
  client_name: Type.Optional(Type.String()),
  ip: Type.Optional(Type.String()),
  user_agent: Type.Optional(Type.String()),
  hostname: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
  user_name: Type.Optional(Type.String()),
  strategy: Type.Optional(Type.String()),
  strategy_type: Type.Optional(Type.String()),
  audience: Type.Optional(Type.String()),
  scope: Type.Optional(Type.String()),
  organization_id: Type.Optional(Type.String()),
  organization_name: Type.Optional(Type.String()),
  isMobile: Type.Optional(Type.Boolean()),
  details: Type.Optional(FreeForm),
})

export const LogId = Exact({ id: Type.String({ minLength: 1, maxLength: 40 }) })

/** Entries come in the order of their dates. */
export const LogSort = OneOf('date:1', 'date:-1')

const Text = Type.Optional(Type.String({ maxLength: 4096 }))
/** Lucene's syntax, or words of which all must hold; both when both are given. */
export const Search = { q: Text, search: Text }
