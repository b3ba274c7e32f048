import type { Readable } from 'node:stream'
import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { FreeForm, Timestamp } from '../wire.ts'

export const JobId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })

const ExportField = Exact({
  name: Type.String({ minLength: 1, maxLength: 200 }),
  export_as: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
})

export const CreateExport = Exact({
  connection_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  format: Type.Optional(OneOf('json', 'csv')),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_000_000_000 })),
  fields: Type.Optional(Type.Array(ExportField, { minItems: 1, maxItems: 100 })),
})
export type CreateExport = Static<typeof CreateExport>

export interface ExportSettings {
  format: 'json' | 'csv'
  limit: number | null
  fields: Static<typeof ExportField>[] | null
}

const Summary = Type.Object({
  failed: Type.Integer(),
  updated: Type.Integer(),
  inserted: Type.Integer(),
  total: Type.Integer(),
})

export const Job = Type.Object({
  status: Type.String(),
  type: Type.String(),
  created_at: Timestamp,
  id: Type.String(),
  connection_id: Type.Optional(Type.String()),
  external_id: Type.Optional(Type.String()),
  upsert: Type.Optional(Type.Boolean()),
  format: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer()),
  fields: Type.Optional(Type.Array(Type.Object({ name: Type.String(), export_as: Type.Optional(Type.String()) }))),
  percentage_done: Type.Optional(Type.Integer()),
  time_left_seconds: Type.Optional(Type.Integer()),
  location: Type.Optional(Type.String()),
  summary: Type.Optional(Summary),
  status_details: Type.Optional(Type.String()),
})

/** The rows that were refused, sent as a stream; or the job itself, when it failed as a whole. */
export const JobErrors = Type.Unsafe<Readable | Static<typeof Job>>(
  Type.Union([
    Type.Array(
      Type.Object({
        user: FreeForm,
        errors: Type.Array(Type.Object({ code: Type.String(), message: Type.String(), path: Type.String() })),
      }),
    ),
    Job,
  ]),
)
