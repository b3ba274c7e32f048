/** The words and signs of a search, with escapes resolved. One pass, no backtracking. */
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { Bound, Value } from './lucene.ts'

export interface Token {
  kind: 'word' | 'value' | 'field' | 'star' | 'and' | 'or' | 'not' | 'plus' | 'open' | 'close' | 'end'
  /** Of a word or a field's name, without escapes. */
  text: string
  /** Of a word, phrase, pattern or range. */
  value?: Value
  position: number
}

const OPERATORS: Record<string, Token['kind']> = {
  AND: 'and',
  OR: 'or',
  NOT: 'not',
  '&&': 'and',
  '||': 'or',
  '!': 'not',
}
/** Whatever ends a word, unless escaped. `|` is none: it stands in every user id. */
const ENDS = new Set([' ', '\t', '\n', '\r', '(', ')', '[', ']', '{', '}', '"', ':'])
const BLANK = new Set([' ', '\t', '\n', '\r'])

type Refuse = (position: number, reason: string) => Problem

/** @throws Problem made by `refuse` */
export function tokensOf(text: string, refuse: Refuse): Token[] {
  const tokens: Token[] = []
  let at = 0
  const push = (kind: Token['kind'], position: number, value?: Value, word = '') =>
    tokens.push({ kind, text: word, position, ...(value ? { value } : {}) })

  while (at < text.length) {
    const position = at
    const sign = text[at]!
    if (BLANK.has(sign)) at++
    else if (sign === '(' || sign === ')') {
      push(sign === '(' ? 'open' : 'close', position)
      at++
    } else if (sign === '"') push('value', position, { kind: 'term', text: phrase(), quoted: true })
    else if (sign === '[' || sign === '{') push('value', position, range())
    else if ((sign === '-' || sign === '+') && tokens.at(-1)?.kind !== 'field') {
      push(sign === '-' ? 'not' : 'plus', position)
      at++
    } else if (ENDS.has(sign))
      throw refuse(position, `'${sign}' is not expected here. Put it in quotes, or a \\ before it.`)
    else wordLike()
  }
  push('end', text.length)
  return tokens

  function wordLike(): void {
    const position = at
    const comparison = tokens.at(-1)?.kind === 'field' ? /^[<>]=?/.exec(text.slice(at, at + 2))?.[0] : undefined
    if (comparison) {
      at += comparison.length
      const bound = { text: text[at] === '"' ? phrase() : word(true).text, inclusive: comparison.endsWith('=') }
      if (bound.text === '') throw refuse(at, `'${comparison}' is followed by a value.`)
      push('value', position, {
        kind: 'range',
        from: comparison.startsWith('>') ? bound : undefined,
        to: comparison.startsWith('<') ? bound : undefined,
      })
      return
    }
    if (text[at] === '!') {
      at++
      push('not', position)
      return
    }
    const { raw, text: plain, stars } = word(false)
    if (text[at] === ':') {
      if (tokens.at(-1)?.kind === 'field') throw refuse(at, 'a value with a colon in it must stand in quotes.')
      if (stars.length > 0 && raw !== '*') throw refuse(position, 'the name of a field has no wildcards.')
      at++
      push('field', position, undefined, plain)
      return
    }
    const operator = Object.hasOwn(OPERATORS, raw) ? OPERATORS[raw] : undefined
    if (operator) push(operator, position)
    else if (raw === '*') push('star', position)
    else push('word', position, pattern(position, plain, stars), plain)
  }

  /** Stars are kept apart from escaped ones: `stars` holds their places in the plain text. */
  function word(withColons: boolean): { raw: string; text: string; stars: number[] } {
    const start = at
    const stars: number[] = []
    let plain = ''
    while (at < text.length && (!ENDS.has(text[at]!) || (withColons && text[at] === ':'))) {
      const sign = text[at]!
      if (sign === '\\') {
        if (at + 1 >= text.length) throw refuse(at, 'the query ends after a \\.')
        plain += text[at + 1]
        at += 2
        continue
      }
      if (sign === '?' || sign === '~' || sign === '^' || (sign === '/' && at === start)) {
        throw refuse(
          at,
          `'${sign}' is not supported. Put it in quotes, or a \\ before it, to look for the sign itself.`,
        )
      }
      if (sign === '*') stars.push(plain.length)
      plain += sign
      at++
    }
    return { raw: text.slice(start, at), text: plain, stars }
  }

  function pattern(position: number, plain: string, stars: number[]): Value {
    const last = plain.length - 1
    if (stars.length === 0) return { kind: 'term', text: plain, quoted: false }
    if (stars.length === 1 && stars[0] === last) return { kind: 'prefix', text: plain.slice(0, -1) }
    if (stars.length === 2 && stars[0] === 0 && stars[1] === last) {
      const part = plain.slice(1, -1)
      if ([...part].length < 3) throw refuse(position, 'between two wildcards there are at least 3 characters.')
      return { kind: 'part', text: part }
    }
    throw refuse(position, "a wildcard stands at the end, as in 'anna*', or on both sides, as in '*anna*'.")
  }

  function phrase(): string {
    const start = at
    let plain = ''
    for (at++; at < text.length; at++) {
      if (text[at] === '"') {
        at++
        return plain
      }
      if (text[at] === '\\' && at + 1 < text.length) at++
      plain += text[at]
    }
    throw refuse(start, 'the quotation mark is never closed.')
  }

  function range(): Value {
    const start = at
    const wrong = () => refuse(start, "a range is written '[a TO b]', or '{a TO b}' without its ends.")
    const includesFrom = text[at++] === '['
    const from = bound()
    blanks()
    if (text.slice(at, at + 2) !== 'TO' || !BLANK.has(text[at + 2] ?? '')) throw wrong()
    at += 2
    const to = bound()
    blanks()
    const closing = text[at++]
    if (closing !== ']' && closing !== '}') throw wrong()
    return { kind: 'range', from: open(from, includesFrom), to: open(to, closing === ']') }

    function bound(): string | undefined {
      blanks()
      if (text[at] === '"') return phrase()
      const { raw, text: plain } = word(true)
      if (raw === '') throw wrong()
      return raw === '*' ? undefined : plain
    }
    function blanks(): void {
      while (BLANK.has(text[at] ?? '')) at++
    }
  }
}

const open = (text: string | undefined, inclusive: boolean): Bound | undefined =>
  text === undefined ? undefined : { text, inclusive }
