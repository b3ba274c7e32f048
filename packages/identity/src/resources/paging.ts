/**
 * Auth0's three ways through a list, which all must work on the same endpoint where Auth0 has them:
 *
 *   nothing asked            a bare array of the first 50
 *   page, per_page           a bare array; with include_totals the array in an envelope {start, limit, total, …}
 *   from, take               {…, next?}; wins over include_totals, and has no end at 1,000 records
 */
import { defineProblems } from '@tenantry/kernel/problem.ts'
import Type, { type Static, type TSchema } from 'typebox'

export const problems = defineProblems({
  invalid_paging: { status: 400, title: '{reason}' },
})

export const OffsetQuery = {
  page: Type.Optional(Type.Integer({ minimum: 0 })),
  per_page: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
  include_totals: Type.Optional(Type.Boolean()),
}
export const CheckpointQuery = {
  from: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
  take: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
}
export const BothPagings = { ...OffsetQuery, ...CheckpointQuery }

type PagingQuery = Partial<Static<Type.TObject<typeof BothPagings>>>

export interface Page {
  kind: 'array' | 'totals' | 'checkpoint'
  limit: number
  offset: number
  /** Rows come after this key; only with `checkpoint`. */
  after: string | undefined
}

/** @throws Problem `invalid_paging` past the 1,000 records that offsets reach, as Auth0 does */
export function pageOf(query: PagingQuery): Page {
  if (query.take !== undefined || query.from !== undefined) {
    return { kind: 'checkpoint', limit: query.take ?? 50, offset: 0, after: decodeCheckpoint(query.from) }
  }
  const limit = query.per_page ?? 50
  const offset = (query.page ?? 0) * limit
  if (offset + limit > 1000 && offset > 0) {
    const reason =
      'You can only page through the first 1000 records. Use checkpoint pagination (from, take) beyond them.'
    throw problems.invalid_paging({ facts: { reason } })
  }
  return { kind: query.include_totals ? 'totals' : 'array', limit, offset, after: undefined }
}

/** What a store returns for a page: rows, one more than the limit for a checkpoint, and the total if it was counted. */
export interface Found<Row> {
  rows: Row[]
  total: number
}

/**
 * Renders a page. `key` is the column that a checkpoint continues after; the store must order by it. `show` turns a row
 * into what the wire shows of it.
 */
export function answer<Row, Name extends string, Shown = Row>(
  name: Name,
  page: Page,
  found: Found<Row>,
  key: (row: Row) => string,
  show: (row: Row) => Shown = (row) => row as unknown as Shown,
) {
  const rows = found.rows.slice(0, page.limit)
  const items = rows.map(show)
  if (page.kind === 'array') return items
  if (page.kind === 'totals') {
    return { start: page.offset, limit: page.limit, length: items.length, total: found.total, [name]: items }
  }
  const more = found.rows.length > page.limit
  return { [name]: items, ...(more ? { next: encodeCheckpoint(key(rows.at(-1)!)) } : {}) }
}

/** The answer's schema: an array, or one of the envelopes around it. */
export const PageAnswer = <Item extends TSchema>(name: string, item: Item) =>
  Type.Unsafe<Static<Item>[] | Record<string, unknown>>(
    Type.Union([
      Type.Array(item),
      Type.Object({
        start: Type.Optional(Type.Integer()),
        limit: Type.Optional(Type.Integer()),
        length: Type.Optional(Type.Integer()),
        total: Type.Optional(Type.Integer()),
        next: Type.Optional(Type.String()),
        [name]: Type.Array(item),
      }),
    ]),
  )

/** How many rows a store should fetch: one more tells whether there is a next page. */
export const fetchLimit = (page: Page): number => (page.kind === 'checkpoint' ? page.limit + 1 : page.limit)

const encodeCheckpoint = (key: string): string => Buffer.from(key).toString('base64url')

function decodeCheckpoint(from: string | undefined): string | undefined {
  if (from === undefined) return undefined
  const key = Buffer.from(from, 'base64url').toString('utf8')
  if (encodeCheckpoint(key) !== from || key === '' || key.includes('\0')) {
    throw problems.invalid_paging({ facts: { reason: 'The checkpoint in `from` is not one that was given out.' } })
  }
  return key
}
