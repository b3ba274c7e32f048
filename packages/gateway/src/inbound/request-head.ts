/**
 * Reads the head of a request. Strict, because whatever stands behind this gateway may read differently what is not
 * said clearly: what RFC 9112 calls malformed is refused, never repaired. What the head means is read by `head.ts`; here
 * is decided only where it and its body end.
 */
import http from 'node:http'
import { fieldValue, trimmed } from '../field-text.ts'
import { nameOf } from '../head.ts'

export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly version: string
  /** `name, value …` as received, without the space around values. */
  readonly rawHeaders: readonly string[]
  /** 0: none; -1: chunked. */
  readonly bodyLength: number
  readonly keepsAlive: boolean
  readonly expect: string | null
}

const requestLine = /^([A-Z-]+) ([\x21-\x7e]+) HTTP\/(0\.9|1\.0|1\.1|2\.0)$/
const methods: ReadonlySet<string> = new Set(http.METHODS)
const targetStart = /^(?:[/*]|[A-Za-z]+:\/\/)/
const lengthValue = /^\d{1,19}$/
const close = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i
const keepAlive = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i

/**
 * @param text the head without its empty line, as latin1
 * @returns `null` when it has no certain reading
 */
export function parseRequestHead(text: string): RequestHead | null {
  let lineEnd = text.indexOf('\r\n')
  const line = requestLine.exec(lineEnd === -1 ? text : text.slice(0, lineEnd))
  if (line === null) return null
  const [, method = '', target = '', version = ''] = line
  if (!methods.has(method) || !(method === 'CONNECT' || targetStart.test(target))) return null
  const rawHeaders: string[] = []
  let length: string | null = null
  let isChunked = false
  let closes = false
  let staysOpen = version === '1.1'
  let expect: string | null = null
  while (lineEnd !== -1) {
    const start = lineEnd + 2
    lineEnd = text.indexOf('\r\n', start)
    const end = lineEnd === -1 ? text.length : lineEnd
    const colon = text.indexOf(':', start)
    if (colon === -1 || colon >= end) return null
    const raw = text.slice(start, colon)
    // Also refuses folded lines and a space before the colon, which some servers read as another header.
    const name = nameOf(raw)
    if (name === null) return null
    const value = trimmed(text, colon + 1, end)
    if (!fieldValue.test(value)) return null
    rawHeaders.push(raw, value)
    if (name.kind === 'keep') continue
    if (name.kind === 'connection') {
      if (close.test(value)) closes = true
      else if (version === '1.0' && keepAlive.test(value)) staysOpen = true
    } else if (name.kind === 'length') {
      if (length !== null || !lengthValue.test(value)) return null
      length = value
    } else if (name.kind === 'encoding') {
      // A coding that is ignored would be a second reading of where the body ends.
      if (isChunked || value.toLowerCase() !== 'chunked') return null
      isChunked = true
    } else if (name.lower === 'expect') expect = expect === null ? value : `${expect}, ${value}`
  }
  // RFC 9112 §6.3: both is how requests are smuggled.
  if (isChunked && length !== null) return null
  const bodyLength = isChunked ? -1 : Number(length ?? 0)
  return { method, target, version, rawHeaders, bodyLength, keepsAlive: staysOpen && !closes, expect }
}
