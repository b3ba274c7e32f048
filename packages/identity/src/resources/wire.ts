/** The small print of Auth0's JSON: absent instead of null, ISO times, `fields` and `include_fields`. */
import Type from 'typebox'

/** Rows hold Date; the serialiser writes ISO 8601. */
export const Timestamp = Type.Unsafe<Date>({ type: 'string', format: 'date-time' })

/** Free-form objects such as app_metadata. */
export const FreeForm = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })

/** An answer without a body whose status is not 204: `null` would be written out. */
export const Nothing = Type.Unsafe<undefined>({ type: 'null' })

type Present<Row> = { [Name in keyof Row as null extends Row[Name] ? never : Name]: Row[Name] } & {
  [Name in keyof Row as null extends Row[Name] ? Name : never]?: Exclude<Row[Name], null>
}

/** A row without the members that are null: on the wire, unset means absent. */
export const present = <Row extends object>(row: Row): Present<Row> =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Present<Row>

export const FieldsQuery = {
  fields: Type.Optional(Type.String({ maxLength: 1000 })),
  include_fields: Type.Optional(Type.Boolean()),
}

/** `fields=a,b` keeps only these; with `include_fields=false` it drops them. */
export function pick<Row extends object>(row: Row, query: { fields?: string; include_fields?: boolean }): Row {
  if (!query.fields) return row
  const names = new Set(query.fields.split(',').map((name) => name.trim()))
  const keep = query.include_fields !== false
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name) === keep)) as Row
}
