/** What the searches by checkpoint share: which language is spoken, and fields that are compared exactly. */

import type { Tx } from '@tenantry/kernel/database/database.ts'
import { OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { problems as apiProblems } from '../management-api.ts'
import { CheckpointQuery } from '../paging.ts'
import { parseLucene, type Query } from './lucene.ts'
import type { Condition, SearchField } from './store.ts'

export const SearchQuery = {
  ...CheckpointQuery,
  q: Type.Optional(Type.String({ maxLength: 4096 })),
  parser: Type.Optional(OneOf('lucene', 'scim')),
}

/** @throws Problem `invalid_query_string`, `operation_not_supported` */
export function queryOf({ q, parser }: { q?: string; parser?: string }): Query {
  if (parser === 'scim') {
    throw apiProblems.operation_not_supported({
      facts: { what: "The parser 'scim' is not supported. Write the query in Lucene's syntax and leave 'parser' out." },
    })
  }
  return q === undefined || q.trim() === '' ? { kind: 'everything' } : parseLucene(q)
}

/** For ids: one value, in exactly these letters. */
export const exact = (column: (tx: Tx) => Condition): SearchField => ({
  exists: (tx) => tx`${column(tx)} is not null`,
  match: (tx, value) => (value.kind === 'term' ? tx`${column(tx)} = ${value.text}` : 'is compared as a whole.'),
})
