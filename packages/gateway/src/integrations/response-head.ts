/**
 * Reads the head of an upstream's answer. Strict, because a proxy that is lenient about where an answer ends hands the
 * rest of it to the next caller: what RFC 9112 calls malformed is an error here, never repaired.
 */
import { fieldValue, ownText, token, trimmed } from '../field-text.ts'

export interface ResponseHead {
  readonly status: number
  /** `name, value …` to pass on: lower-case names, no hop-by-hop headers, none of the gateway's own namespace. */
  readonly fields: string[]
  /** The `access-control-*` headers, which only APIs without a CORS configuration pass on. */
  readonly corsFields: readonly string[]
  /** Declared length of the body; -1 when none is declared. */
  readonly length: number
  readonly isChunked: boolean
  readonly keepsAlive: boolean
  readonly keepAlive: string | null
  /** What an AWS service calls the request; empty when it says nothing. */
  readonly requestId: string
  readonly requestId2: string
}

type Kind =
  | 'keep'
  | 'drop'
  | 'connection'
  | 'keep-alive'
  | 'length'
  | 'encoding'
  | 'cors'
  | 'request-id'
  | 'request-id-2'

interface Name {
  readonly lower: string
  readonly kind: Kind
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const lengthValue = /^\d{1,15}$/

const kinds = new Map<string, Kind>([
  ['connection', 'connection'],
  ['keep-alive', 'keep-alive'],
  ['content-length', 'length'],
  ['transfer-encoding', 'encoding'],
  ['x-amzn-requestid', 'request-id'],
  ['x-amz-request-id', 'request-id'],
  ['x-amz-id-2', 'request-id-2'],
  ...['proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'trailers', 'upgrade'].map(
    (name): [string, Kind] => [name, 'drop'],
  ),
])

// An upstream writes the same dozen names in every answer.
const known = new Map<string, Name>()
const knownLimit = 2_000

/** @param text the head without its empty line, as latin1 */
export function parseResponseHead(text: string): ResponseHead | null {
  let lineEnd = text.indexOf('\r\n')
  const status = statusLine.exec(lineEnd === -1 ? text : text.slice(0, lineEnd))
  if (status === null) return null
  // The first two places are the gateway's: its request id leads every answer.
  const fields = ['apigw-requestid', '']
  const corsFields: string[] = []
  let claimed: readonly string[] | null = null
  let length = -1
  let isChunked = false
  let keepsAlive = status[1] === '1'
  let keepAlive: string | null = null
  let requestId = ''
  let requestId2 = ''
  while (lineEnd !== -1) {
    const start = lineEnd + 2
    lineEnd = text.indexOf('\r\n', start)
    const end = lineEnd === -1 ? text.length : lineEnd
    const colon = text.indexOf(':', start)
    if (colon === -1 || colon >= end) return null
    const name = nameOf(text.slice(start, colon))
    if (name === null) return null
    const value = trimmed(text, colon + 1, end)
    if (!fieldValue.test(value)) return null
    const { kind, lower } = name
    if (kind === 'keep') fields.push(lower, value)
    else if (kind === 'cors') corsFields.push(lower, value)
    else if (kind === 'length') {
      if (length !== -1 || !lengthValue.test(value)) return null
      length = Number(value)
      fields.push(lower, value)
    } else if (kind === 'encoding') {
      if (isChunked || value.toLowerCase() !== 'chunked') return null
      isChunked = true
    } else if (kind === 'request-id' || kind === 'request-id-2') {
      fields.push(lower, value)
      if (kind === 'request-id') requestId = value
      else requestId2 = value
    } else if (kind === 'keep-alive') keepAlive = value
    else if (kind === 'connection' && value !== 'keep-alive') {
      claimed = [
        ...(claimed ?? []),
        ...value
          .toLowerCase()
          .split(',')
          .map((part) => part.trim()),
      ]
    }
  }
  // RFC 9112 §6.3: both is an error of the upstream or an attack on us; §6.1: 1.0 has no codings.
  if (isChunked && (length !== -1 || status[1] === '0')) return null
  if (claimed?.includes('close') === true) keepsAlive = false
  const kept = claimed === null ? fields : withoutClaimed(fields, claimed)
  return {
    status: Number(status[2]),
    fields: kept,
    corsFields,
    length,
    isChunked,
    keepsAlive,
    keepAlive,
    requestId,
    requestId2,
  }
}

function nameOf(raw: string): Name | null {
  const name = known.get(raw)
  if (name !== undefined) return name
  // Also refuses folded lines and a space before the colon, which some servers read as another header.
  if (!token.test(raw)) return null
  const own = ownText(raw)
  const lower = own.toLowerCase()
  const fresh: Name = { lower, kind: fieldKind(lower) }
  if (known.size < knownLimit) known.set(own, fresh)
  return fresh
}

/** What becomes of a header of an answer, whoever wrote it. */
export const fieldKind = (lower: string): Kind =>
  lower.startsWith('apigw-') ? 'drop' : lower.startsWith('access-control-') ? 'cors' : (kinds.get(lower) ?? 'keep')

// The length is the framing of this hop and the first field is ours, whatever `Connection` claims.
const withoutClaimed = (fields: readonly string[], claimed: readonly string[]): string[] =>
  fields.filter((_, i) => {
    const name = fields[i & ~1]!
    return i < 2 || name === 'content-length' || !claimed.includes(name)
  })
