/**
 * Reads the query language of Auth0's searches, a part of Lucene's: terms and "phrases" with or without a field, prefixes
 * `anna*`, parts `*anna*`, ranges, `_exists_`, AND OR NOT, `-` and parentheses. The answer is a tree; store.ts makes SQL
 * parameters of it, so nothing that was typed is ever part of a statement.
 *
 * Terms side by side without an operator are joined by OR, as at Auth0; one that is excluded there (`-x`, `NOT x`) or
 * required (`+x`) holds for all of them.
 */
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { type Token, tokensOf } from './tokens.ts'

export const problems = defineProblems({
  invalid_query_string: { status: 400, title: "Invalid query in 'q' at position {position}: {reason}" },
})

export type Value =
  | { kind: 'term'; text: string; quoted: boolean }
  | { kind: 'prefix'; text: string }
  | { kind: 'part'; text: string }
  | { kind: 'range'; from: Bound | undefined; to: Bound | undefined }
export interface Bound {
  text: string
  inclusive: boolean
}

export type Query =
  | { kind: 'everything' }
  | { kind: 'and' | 'or'; of: Query[] }
  | { kind: 'not'; of: Query }
  | { kind: 'exists'; field: string; position: number }
  | { kind: 'match'; field: string | undefined; value: Value; position: number }

/** What one search may cost to read; a statement timeout limits what it costs to run. */
const MAXIMUM = { length: 4096, depth: 20, clauses: 100 }

/** @throws Problem `invalid_query_string` */
export const refuse = (position: number, reason: string) =>
  problems.invalid_query_string({ facts: { position: position + 1, reason } })

/** @throws Problem `invalid_query_string` naming the position, counted from 1 */
export function parseLucene(text: string): Query {
  if (text.length > MAXIMUM.length) throw refuse(MAXIMUM.length, `a query has at most ${MAXIMUM.length} characters.`)
  const tokens = tokensOf(text, refuse)
  let next = 0
  let depth = 0
  let clauses = 0

  const peek = (): Token => tokens[next]!
  const take = (): Token => tokens[next++]!
  const isNext = (...kinds: Token['kind'][]): boolean => kinds.includes(peek().kind)

  function sequence(field: string | undefined): Query {
    const alternatives: Query[] = []
    const required: Query[] = []
    for (let joined = false, first = true; ; first = false) {
      const { query, modifier } = conjunction(field)
      const explicit = isNext('or')
      const ends = isNext('end', 'close')
      // `a -b` excludes b; `a OR NOT b` does not. What stands alone is only itself.
      const holdsForAll = modifier !== undefined && !joined && !explicit && !(first && ends)
      ;(holdsForAll ? required : alternatives).push(query)
      if (ends) break
      joined = explicit
      if (explicit) take()
    }
    const of = [...(alternatives.length > 0 ? [join('or', alternatives)] : []), ...required]
    return join('and', of)
  }

  function conjunction(field: string | undefined): { query: Query; modifier: Token['kind'] | undefined } {
    const first = modified(field)
    const of = [first.query]
    while (isNext('and')) {
      take()
      of.push(modified(field).query)
    }
    return { query: join('and', of), modifier: of.length === 1 ? first.modifier : undefined }
  }

  function modified(field: string | undefined): { query: Query; modifier: Token['kind'] | undefined } {
    if (!isNext('not', 'plus')) return { query: clause(field), modifier: undefined }
    const { kind, position } = take()
    return nested(position, () => {
      const { query } = modified(field)
      return { query: kind === 'not' ? ({ kind: 'not', of: query } as const) : query, modifier: kind }
    })
  }

  function clause(field: string | undefined): Query {
    const token = take()
    clauses++
    if (clauses > MAXIMUM.clauses) throw refuse(token.position, `a query has at most ${MAXIMUM.clauses} terms.`)
    if (token.kind === 'open') {
      return nested(token.position, () => {
        const inner = sequence(field)
        const end = take()
        if (end.kind !== 'close') throw refuse(token.position, "the '(' is never closed.")
        return inner
      })
    }
    if (token.kind === 'field') {
      if (field !== undefined) throw refuse(token.position, `there is a field inside the parentheses of '${field}'.`)
      return withField(token)
    }
    return valued(token, field)
  }

  function withField({ text: name, position }: Token): Query {
    if (isNext('open')) return clause(name)
    if (name === '_exists_') {
      const token = take()
      if (token.kind !== 'word') throw refuse(token.position, "'_exists_:' is followed by the name of a field.")
      return { kind: 'exists', field: token.text, position }
    }
    return valued(take(), name, position)
  }

  function valued(token: Token, field: string | undefined, position = token.position): Query {
    if (token.kind === 'star') return field === undefined || field === '*' ? { kind: 'everything' } : exists(field)
    if (token.value === undefined) throw refuse(token.position, expected(token, field))
    if (token.value.kind === 'range' && !token.value.from && !token.value.to && field) return exists(field)
    return { kind: 'match', field, value: token.value, position }

    function exists(name: string): Query {
      return { kind: 'exists', field: name, position }
    }
  }

  function nested<T>(position: number, work: () => T): T {
    depth++
    if (depth > MAXIMUM.depth) throw refuse(position, `parentheses and NOT are nested at most ${MAXIMUM.depth} deep.`)
    const result = work()
    depth--
    return result
  }

  const query = sequence(undefined)
  if (!isNext('end')) throw refuse(peek().position, "there is a ')' without its '('.")
  return query
}

const join = (kind: 'and' | 'or', of: Query[]): Query => (of.length === 1 ? of[0]! : { kind, of })

const expected = ({ kind }: Token, field: string | undefined): string => {
  const what = field === undefined ? 'a term or a field is expected' : `'${field}:' is followed by a value`
  return kind === 'end'
    ? `${what}, but the query ends.`
    : `${what}. Put words like AND, OR, NOT in quotes to look for them.`
}
