import { limits } from '../api.ts'
import { parseRequestHead, type RequestHead } from './request-head.ts'

const emptyLine = Buffer.from('\r\n\r\n')
// Names count here and do not for AWS, whose exact limit is checked on the parsed head.
const headBytes = limits.headBytes * 3
const stray = /[^\t\x20-\x7e\x80-\xff\r\n]|\r[^\n]|(?:^|[^\r])\n/
const methodStart = /^[A-Z-]*(?: |$)/

/**
 * Looks for a whole head at the beginning of some bytes.
 *
 * @param seen how many of them were looked at before, in vain
 * @returns the head and where it ends; `partial` when more must come. What can become no head is told at once where that
 * is cheap, or a client that speaks something else would wait until it is too slow
 */
export function readAhead(
  bytes: Buffer,
  seen: number,
): { readonly head: RequestHead; readonly end: number } | 'partial' | 'malformed' | 'too large' {
  const end = bytes.indexOf(emptyLine, Math.max(0, seen - 3))
  if ((end === -1 ? bytes.length : end) > headBytes) return 'too large'
  if (end === -1) return isBeginning(bytes, seen) ? 'partial' : 'malformed'
  const head = parseRequestHead(bytes.toString('latin1', 0, end))
  return head === null ? 'malformed' : { head, end: end + emptyLine.length }
}

// Each byte is looked at once: a client that sends them one by one costs no more than it pays.
function isBeginning(bytes: Buffer, seen: number): boolean {
  const from = Math.max(0, seen - 1)
  const fresh = bytes.toString('latin1', from)
  if (stray.test(from === 0 ? fresh : fresh.replace(/^\n/, ''))) return false
  const lineEnd = fresh.indexOf('\r\n')
  if (lineEnd === -1) return seen > 0 || methodStart.test(fresh)
  return bytes.indexOf('\r\n') < from || parseRequestHead(bytes.toString('latin1', 0, from + lineEnd)) !== null
}
