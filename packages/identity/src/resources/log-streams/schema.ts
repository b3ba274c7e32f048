import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { LOG_CATEGORIES } from '../../logs/log-types.ts'
import { inertMembers, only } from '../inert.ts'

/** Entries go out whole, in the order they came. */
export const inert = { pii_config: only(null), isPriority: only(false) }

const Filters = Type.Array(Exact({ type: OneOf('category'), name: OneOf(...LOG_CATEGORIES) }), { maxItems: 40 })

const Header = Exact({
  header: Type.String({ minLength: 1, maxLength: 100 }),
  value: Type.String({ maxLength: 2048 }),
})

const sink = {
  httpEndpoint: Type.String({ minLength: 1, maxLength: 2048 }),
  httpContentFormat: Type.Optional(OneOf('JSONLINES', 'JSONARRAY', 'JSONOBJECT')),
  httpContentType: Type.Optional(Type.String({ maxLength: 200 })),
  httpAuthorization: Type.Optional(Type.String({ maxLength: 4096 })),
  httpCustomHeaders: Type.Optional(Type.Array(Header, { maxItems: 20 })),
}
export const HttpSink = Exact(sink)
export type HttpSink = Static<typeof HttpSink>

const Name = Type.String({ minLength: 1, maxLength: 255 })

export const CreateLogStream = Exact({
  name: Type.Optional(Name),
  type: Type.String({ maxLength: 40 }),
  filters: Type.Optional(Filters),
  // Other types have sinks of other shapes; they are refused by name.
  sink: Type.Union([HttpSink, Type.Record(Type.String({ maxLength: 100 }), Type.Unknown())]),
  startFrom: Type.Optional(Type.String({ format: 'date-time', maxLength: 40 })),
  ...inertMembers(inert),
})
export type CreateLogStream = Static<typeof CreateLogStream>

export const UpdateLogStream = Exact({
  name: Type.Optional(Name),
  status: Type.Optional(OneOf('active', 'paused', 'suspended')),
  filters: Type.Optional(Filters),
  sink: Type.Optional(Exact({ ...sink, httpEndpoint: Type.Optional(sink.httpEndpoint) })),
  ...inertMembers(inert),
})
export type UpdateLogStream = Static<typeof UpdateLogStream>

export const LogStream = Type.Object({
  id: Type.String(),
  name: Type.String(),
  type: Type.String(),
  status: Type.String(),
  isPriority: Type.Boolean(),
  filters: Type.Array(Type.Object({ type: Type.String(), name: Type.String() })),
  sink: Type.Object({
    httpEndpoint: Type.String(),
    httpContentFormat: Type.String(),
    httpContentType: Type.String(),
    httpAuthorization: Type.Optional(Type.String()),
    httpCustomHeaders: Type.Optional(Type.Array(Type.Object({ header: Type.String(), value: Type.String() }))),
  }),
  /** Only in the answer that made it. */
  signing_secret: Type.Optional(Type.String()),
})

export const LogStreamId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
