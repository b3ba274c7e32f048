/** Request bodies, read strictly once: what one part reads, no other part may read differently. */
import { isUtf8 } from 'node:buffer'
import { defineProblems } from '../problem.ts'
import { hasDuplicateMember } from '../strict-json.ts'

export const bodyProblems = defineProblems({
  invalid_body: { status: 400, title: '{reason}' },
})

const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })

/**
 * @throws Problem `invalid_body` for bytes that are no UTF-8, no JSON, hold a NUL or half a surrogate pair (PostgreSQL has no
 * such text), or name a member twice
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw refuse('The body is empty; JSON is expected.')
  if (!isUtf8(bytes)) throw refuse('The body is not valid UTF-8.')
  const text = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw bodyProblems.invalid_body({ facts: { reason: 'The body is not valid JSON.' }, cause })
  }
  refuseHostile(value, 0)
  if (hasDuplicateMember(text)) throw refuse('The body names a member more than once.')
  return value
}

/**
 * A form as a record of texts. A parameter sent twice is refused (RFC 6749 §3.1): two readers might pick different ones.
 *
 * @throws Problem `invalid_body`
 */
export function parseForm(bytes: Buffer): Record<string, string> {
  if (!isUtf8(bytes)) throw refuse('The body is not valid UTF-8.')
  return parseParameters(bytes.toString('utf8'))
}

/** The query of a request's address, under the same rules: all that stands behind the first question mark. */
export function parseQuery(url: string): Record<string, string> {
  const at = url.indexOf('?')
  return at < 0 ? Object.create(null) : parseParameters(url.slice(at + 1))
}

/** The same rules for pairs that stand alone. */
export function parseParameters(text: string): Record<string, string> {
  const record: Record<string, string> = Object.create(null)
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = decode(at < 0 ? pair : pair.slice(0, at))
    if (name in record) throw refuse(`The parameter ${name.slice(0, 60)} is sent more than once.`)
    record[name] = at < 0 ? '' : decode(pair.slice(at + 1))
  }
  return record
}

// Each piece is an object, however short: a body of a quarter MiB byte by byte took 150 MB, and nobody has to be known for it.
const MOST_PIECES = 10_000

/**
 * A body that comes in chunks, which say their own lengths. Others come as packets do, which cost whoever sends them more.
 *
 * @throws Problem `invalid_body` when there are far more of them than anybody needs
 */
export async function* inPieces(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces = 0
  for await (const piece of body) {
    if (++pieces > MOST_PIECES) throw refuse('The body comes in too many pieces.')
    yield piece
  }
}

function decode(text: string): string {
  let plain: string
  try {
    plain = decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw bodyProblems.invalid_body({ facts: { reason: 'A parameter is not valid percent-encoded UTF-8.' }, cause })
  }
  if (plain.includes('\0')) throw refuse('A parameter holds a NUL character.')
  return plain
}

/** NUL and lone surrogates in any text, nesting that exhausts a stack, and the keys that pollute prototypes. */
function refuseHostile(value: unknown, depth: number): void {
  if (depth > 32) throw refuse('The body is nested more than 32 levels deep.')
  if (typeof value === 'string') {
    if (value.includes('\0')) throw refuse('A text in the body holds a NUL character.')
    if (!value.isWellFormed()) throw refuse('A text in the body holds half a surrogate pair.')
  } else if (value !== null && typeof value === 'object') {
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__' || key.includes('\0') || !key.isWellFormed())
        throw refuse('The body holds a member name that is not allowed.')
      refuseHostile(member, depth + 1)
    }
  }
}
