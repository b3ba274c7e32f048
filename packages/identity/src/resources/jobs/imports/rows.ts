/**
 * The rows of an import file: a JSON array read as a stream, one row in memory at a time.
 *
 * Only where a row ends is found out here, by brackets and quotes; each row is then read by the one strict reader of JSON
 * bodies. A reader that assembles values from a stream of tokens would be a second reader with rules of its own, and
 * could not say at which byte a row ends, which is what another process continues from.
 */
import { bodyProblems, parseJson } from '@tenantry/kernel/http/body.ts'
import { Problem } from '@tenantry/kernel/problem.ts'

/** Both kinds of metadata at their limits, written with escapes. */
export const MAXIMUM_ROW_BYTES = 512 * 1024

/** The file is no JSON array. What it says is shown with the job. */
export class BrokenFile extends Error {}

export interface FileRow {
  /** The bytes of the row, or undefined where it is too long to be read. */
  bytes: Buffer | undefined
  /** Where the next row begins; undefined after the last one. */
  next: number | undefined
}

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d]
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
/** Editors on Windows put a byte order mark at the start of a file; RFC 8259 §8.1 lets readers ignore it. */
const MARK = [0xef, 0xbb, 0xbf]

/**
 * @param offset where a row begins, as a `next` said before; 0 is the start of the file
 * @throws BrokenFile
 */
export async function* rowsOf(source: AsyncIterable<Buffer>, offset = 0): AsyncGenerator<FileRow> {
  let at = offset
  let state: 'start' | 'row' | 'end' = offset === 0 ? 'start' : 'row'
  let [depth, inString, escaped] = [0, false, false]
  let parts: Buffer[] = []
  let length = 0
  let rows = offset === 0 ? 0 : 1

  for await (const piece of source) {
    let begin = 0
    const keep = (end: number) => {
      length += end - begin
      if (length <= MAXIMUM_ROW_BYTES) parts.push(piece.subarray(begin, end))
      else parts = []
    }
    for (let index = 0; index < piece.length; index++) {
      const byte = piece[index]!
      if (state === 'row') {
        if (inString) {
          if (escaped) escaped = false
          else if (byte === BACKSLASH) escaped = true
          else if (byte === QUOTE) inString = false
        } else if (byte === QUOTE) inString = true
        else if (byte === OPEN || byte === OPEN_OBJECT) depth++
        else if (depth > 0) {
          if (byte === CLOSE || byte === CLOSE_OBJECT) depth--
        } else if (byte === COMMA || byte === CLOSE) {
          keep(index)
          begin = index + 1
          const bytes = length > MAXIMUM_ROW_BYTES ? undefined : Buffer.concat(parts)
          const empty = bytes?.every(isSpace)
          const last = byte === CLOSE
          if (empty && !(last && rows === 0)) throw new BrokenFile('A row of the file is empty.')
          ;[parts, length] = [[], 0]
          rows++
          if (last) state = 'end'
          if (!empty) yield { bytes, next: last ? undefined : at + index + 1 }
        } else if (byte === CLOSE_OBJECT)
          throw new BrokenFile('A row of the file closes a bracket that it did not open.')
      } else if (state === 'start' && byte === OPEN) {
        state = 'row'
        begin = index + 1
      } else if (!isSpace(byte) && byte !== MARK[at + index]) {
        throw new BrokenFile(
          state === 'end' ? 'Something follows the array in the file.' : 'The file is no JSON array.',
        )
      }
    }
    if (state === 'row') keep(piece.length)
    at += piece.length
  }
  if (state === 'start') throw new BrokenFile('The file is no JSON array.')
  if (state === 'row') throw new BrokenFile('The file ends in the middle of the array.')
}

/**
 * @throws BrokenFile where the bytes are no JSON at all
 * @throws Problem `invalid_body` where they are JSON that is never accepted (nesting, NUL, half a surrogate pair, names
 * that reach prototypes) or no UTF-8
 */
export function parseRow(bytes: Buffer | undefined): unknown {
  if (!bytes)
    throw bodyProblems.invalid_body({ facts: { reason: `The row is longer than ${MAXIMUM_ROW_BYTES} bytes.` } })
  try {
    return parseJson(bytes)
  } catch (error) {
    if (error instanceof Problem && error.cause instanceof SyntaxError) {
      throw new BrokenFile('The file is not valid JSON.')
    }
    throw error
  }
}
