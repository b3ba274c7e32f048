/**
 * From a search to SQL: every field says how it is compared, every value becomes a parameter. A slice lists its fields:
 *
 *   const fields = fieldsOf({ name: text((tx) => tx`o.name`), created_at: time((tx) => tx`o.created_at`) }, ['name'])
 *   tx`select … from organizations o where ${toCondition(tx, parseLucene(q), fields)}`
 *
 * Row-level security keeps an index from conditions whose functions are not leakproof, and lower() is none. A text that
 * is to be found by index needs a column that is lower case already: `text(column, { lowered: true })`.
 */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { postgres } from '@tenantry/tenancy/driver'
import type { PendingQuery, Row } from 'postgres'
import { type Bound, type Query, refuse, type Value } from './lucene.ts'

export type Condition = PendingQuery<Row[]>
type Column = (tx: Tx) => Condition

export interface SearchField {
  /** @returns a sentence instead when the field cannot be compared with such a value */
  match(tx: Tx, value: Value): Condition | string
  exists(tx: Tx): Condition
}

export interface SearchFields {
  find(name: string): SearchField | undefined
  /** Where a term without a field is looked for: in these fields, or as this one decides. */
  defaults: readonly string[] | SearchField
}

export const problems = defineProblems({
  search_timeout: {
    status: 503,
    title: 'The search took too long. Make it narrower: exact values and prefixes are faster than *parts* and ranges.',
  },
})

const MAXIMUM_MILLISECONDS = 3000

/** The fields of a slice; `open` finds those whose names are not known beforehand, such as members of metadata. */
export const fieldsOf = (
  table: Record<string, SearchField>,
  defaults: SearchFields['defaults'],
  open: (name: string) => SearchField | undefined = () => undefined,
): SearchFields => ({
  find: (name) => (Object.hasOwn(table, name) ? table[name] : open(name)),
  defaults,
})

/** @throws Problem `invalid_query_string` for unknown fields and values of the wrong kind */
export function toCondition(tx: Tx, query: Query, fields: SearchFields): Condition {
  const each = (of: Query): Condition => toCondition(tx, of, fields)
  switch (query.kind) {
    case 'everything':
      return tx`true`
    case 'and':
    case 'or':
      return chain(tx, query.kind, query.of.map(each))
    case 'not':
      // What is not known does not match: NOT of it does.
      return tx`coalesce(not ${each(query.of)}, true)`
    case 'exists':
      return known(query.field, query.position).exists(tx)
    case 'match': {
      const { field, value, position } = query
      const { defaults } = fields
      if (field === undefined && !isList(defaults)) return matched('a term', defaults, value, position)
      const names = field === undefined && isList(defaults) ? defaults : [field!]
      return chain(
        tx,
        'or',
        names.map((name) => matched(`'${name}'`, known(name, position), value, position)),
      )
    }
  }

  function matched(name: string, field: SearchField, value: Value, position: number): Condition {
    const condition = field.match(tx, value)
    if (typeof condition === 'string') throw refuse(position, `${name} ${condition}`)
    return condition
  }

  function known(name: string, position: number): SearchField {
    const field = fields.find(name)
    if (!field) throw refuse(position, `there is no field '${name}' to search in.`)
    return field
  }
}

const isList = (defaults: SearchFields['defaults']): defaults is readonly string[] => Array.isArray(defaults)

const chain = (tx: Tx, kind: 'and' | 'or', conditions: Condition[]): Condition =>
  tx`(${conditions.reduce((all, one) => (kind === 'and' ? tx`${all} and ${one}` : tx`${all} or ${one}`))})`

/**
 * Exact whatever the case, by prefix, by part or by range. `lowered` says that the column is lower case already, `cased`
 * that it is an id, whose case counts; both can be found by index.
 */
export const text = (column: Column, { lowered = false, cased = false } = {}): SearchField => {
  const folded = (tx: Tx) => (lowered || cased ? column(tx) : tx`lower(${column(tx)})`)
  // The database folds both sides: its idea of case and JavaScript's differ outside ASCII.
  const given = (tx: Tx, asked: string) => (cased ? tx`${asked}::text` : tx`lower(${asked}::text)`)
  return {
    exists: (tx) => tx`${column(tx)} is not null`,
    match(tx, value) {
      if (value.kind === 'range') return within(tx, tx`${folded(tx)} collate "C"`, value, (bound) => given(tx, bound))
      const sought = given(tx, value.text)
      if (value.kind === 'term') return tx`${folded(tx)} = ${sought}`
      if (value.kind === 'part') return tx`strpos(${folded(tx)}, ${sought}) > 0`
      // Not LIKE: it is not leakproof, and an index would never serve it. Nothing sorts after U+10FFFF.
      return tx`(${folded(tx)} collate "C" >= ${sought} and ${folded(tx)} collate "C" < ${sought} || ${'\u{10ffff}'}::text)`
    },
  }
}

export const flag = (column: Column): SearchField => ({
  exists: (tx) => tx`${column(tx)} is not null`,
  match: (tx, value) =>
    value.kind === 'term' && /^(true|false)$/i.test(value.text)
      ? tx`${column(tx)} = ${value.text.toLowerCase() === 'true'}`
      : 'is true or false.',
})

const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/
export const isNumber = (text: string): boolean => NUMBER.test(text)

export const number = (column: Column): SearchField => ({
  exists: (tx) => tx`${column(tx)} is not null`,
  match(tx, value) {
    const what = 'is a number.'
    if (value.kind === 'term') return isNumber(value.text) ? tx`${column(tx)} = ${value.text}::numeric` : what
    if (value.kind !== 'range' || !bounds(value).every(({ text }) => isNumber(text))) return what
    return within(tx, column(tx), value, (bound) => tx`${bound}::text::numeric`)
  },
})

const TIME = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/
/** 2026, 2026-11, 2026-11-24 or a whole time; without a zone it is UTC. A day means all of it. */
export const time = (column: Column): SearchField => ({
  exists: (tx) => tx`${column(tx)} is not null`,
  match(tx, value) {
    const what = 'is a time, such as 2026-11-24 or 2026-11-24T09:30:00Z.'
    if (value.kind === 'prefix' || value.kind === 'part') return what
    const range: Range = value.kind === 'range' ? value : rangeOf(value.text)
    const from = range.from && { ...range.from, at: timeOf(range.from.text, !range.from.inclusive) }
    const to = range.to && { ...range.to, at: timeOf(range.to.text, range.to.inclusive) }
    if ((from && !from.at) || (to && !to.at)) return what
    // `[… TO 2026-11-24]` reaches to the end of that day, `{2026-11-24 TO …}` begins after it.
    const after = from ? (from.inclusive || from.at!.spans ? tx`>=` : tx`>`) : undefined
    const before = to ? (to.inclusive && !to.at!.spans ? tx`<=` : tx`<`) : undefined
    return tx`(${from ? tx`${column(tx)} ${after!} ${from.at!.date}` : tx`true`}
      and ${to ? tx`${column(tx)} ${before!} ${to.at!.date}` : tx`${column(tx)} is not null`})`
  },
})

type Range = Extract<Value, { kind: 'range' }>

const bounds = ({ from, to }: Range): Bound[] => [from, to].filter((bound) => bound !== undefined)
const rangeOf = (text: string): Range => {
  const bound = { text, inclusive: true }
  return { kind: 'range', from: bound, to: bound }
}

/** The moment that a text names; of a day, month or year its end when `end` is asked. */
function timeOf(text: string, end: boolean): { date: Date; spans: boolean } | undefined {
  if (!TIME.test(text)) return undefined
  const whole = text.includes('T')
  const date = new Date(!whole || /(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isNaN(date.getTime())) return undefined
  if (whole || !end) return { date, spans: false }
  if (text.length === 4) date.setUTCFullYear(date.getUTCFullYear() + 1)
  else if (text.length === 7) date.setUTCMonth(date.getUTCMonth() + 1)
  else date.setUTCDate(date.getUTCDate() + 1)
  return { date, spans: true }
}

/** A column between bounds; `compared` makes a bound comparable with it. */
export function within(tx: Tx, column: Condition, range: Range, compared: (bound: string) => Condition): Condition {
  const { from, to } = range
  const lower = from && (from.inclusive ? tx`>=` : tx`>`)
  const upper = to && (to.inclusive ? tx`<=` : tx`<`)
  return tx`(${from ? tx`${column} ${lower!} ${compared(from.text)}` : tx`true`}
    and ${to ? tx`${column} ${upper!} ${compared(to.text)}` : tx`${column} is not null`})`
}

/** Runs a search that may not take long. @throws Problem `search_timeout` */
export async function limited<T>(tx: Tx, search: () => Promise<T>): Promise<T> {
  await tx`select set_config('statement_timeout', ${String(MAXIMUM_MILLISECONDS)}, true)`
  return search().catch((cause: unknown) => {
    // query_canceled
    throw cause instanceof postgres.PostgresError && cause.code === '57014' ? problems.search_timeout({ cause }) : cause
  })
}
