/** What a guest asks for, read with distrust: it is a customer's code that wrote it. */
import { isUtf8 } from 'node:buffer'
import { STATUS_CODES } from 'node:http'

export interface AskedCall {
  url: string
  method: string
  headers: Record<string, string>
  redirect: 'follow' | 'manual' | 'error'
  body: Buffer | undefined
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these end a header and begin another
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/
const MAX_URL_CHARS = 16_384
const MAX_HEADERS = 100
const MAX_HEADER_CHARS = 16_384

/**
 * What belongs to the connection, or to whoever speaks for the server. Left out without a word, as the fetch standard
 * does with the names that it forbids.
 */
const KEPT_BACK = new Set(
  (
    'accept-encoding cdn-loop connection content-length expect host http2-settings keep-alive te trailer transfer-encoding ' +
    'upgrade'
  ).split(' '),
)
const isKeptBack = (name: string): boolean => KEPT_BACK.has(name) || /^(proxy|sec)-/.test(name)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @returns why it cannot be sent, or what to send */
export function readCall(text: string): AskedCall | string {
  let asked: unknown
  try {
    asked = JSON.parse(text)
  } catch {
    return 'the request is no JSON'
  }
  if (!isRecord(asked)) return 'the request is no object'
  const { url, method, redirect } = asked
  if (typeof url !== 'string' || url.length > MAX_URL_CHARS) return 'the address is too long'
  if (typeof method !== 'string' || !TOKEN.test(method) || /^(connect|trace|track)$/i.test(method))
    return 'the method is not allowed'
  if (redirect !== 'follow' && redirect !== 'manual' && redirect !== 'error') return 'redirect has no such value'
  const headers = readHeaders(asked.headers)
  if (typeof headers === 'string') return headers
  const body = readBody(asked.body)
  if (typeof body === 'string') return body
  return { url, method, redirect, headers, body }
}

function readHeaders(pairs: unknown): Record<string, string> | string {
  if (!Array.isArray(pairs) || pairs.length > MAX_HEADERS) return `there are more than ${MAX_HEADERS} headers`
  const found = new Map<string, string>()
  let size = 0
  for (const pair of pairs as unknown[]) {
    const [name, value] = Array.isArray(pair) ? (pair as unknown[]) : []
    if (typeof name !== 'string' || typeof value !== 'string') return 'a header is no text'
    if (!TOKEN.test(name) || BAD_VALUE.test(value)) return 'a header holds a character that no header may hold'
    size += name.length + value.length
    if (size > MAX_HEADER_CHARS) return `the headers are longer than ${MAX_HEADER_CHARS} characters`
    const key = name.toLowerCase()
    const known = found.get(key)
    if (!isKeptBack(key)) found.set(key, known === undefined ? value : `${known}, ${value}`)
  }
  return Object.fromEntries(found)
}

function readBody(body: unknown): Buffer | undefined | string {
  if (body === null || body === undefined) return undefined
  if (isRecord(body) && typeof body.text === 'string') return Buffer.from(body.text)
  if (isRecord(body) && typeof body.base64 === 'string') return Buffer.from(body.base64, 'base64')
  return 'the body is neither text nor bytes'
}

export interface GivenAnswer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  url: string
  redirected: boolean
  body: Buffer
}

/** Half of what a line to a runner may hold, since every character may be escaped in it once more. */
const MAX_TEXT_CHARS = 1_450_000

export function writeAnswer({ status, headers, url, redirected, body }: GivenAnswer): string {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => [name, each]),
  )
  const facts = { status, statusText: STATUS_CODES[status] ?? '', headers: pairs, url, redirected }
  return JSON.stringify({ ...facts, body: body.length === 0 ? null : contentOf(body) })
}

/** Text is cheaper to read in the guest than bytes, which it decodes itself. */
function contentOf(body: Buffer): { text: string } | { base64: string } {
  if (isUtf8(body)) {
    const text = body.toString()
    if (JSON.stringify(text).length <= MAX_TEXT_CHARS) return { text }
  }
  return { base64: body.toString('base64') }
}
