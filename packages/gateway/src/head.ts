/**
 * Reads a request's head in one pass over the raw header array: the header object that Node builds keeps one value of
 * some duplicated headers and joins others, and an authorizer must see that there were two.
 */
import { limits } from './api.ts'
import { ownText, token } from './field-text.ts'
import { isHost } from './tls/domain.ts'

export interface Head {
  /** `name, value, name, value …` in lower case, as received, without what never leaves this hop. */
  readonly fields: readonly string[]
  readonly host: string
  readonly origin: string | null
  readonly preflightMethod: string | null
  /** Header names that `Connection` claims for this hop. */
  readonly connectionNames: readonly string[]
  readonly contentLength: number
  readonly isChunked: boolean
}

export type HeadFault = 'malformed' | 'smuggled' | 'headTooLarge'

type Kind = 'keep' | 'drop' | 'connection' | 'host' | 'origin' | 'preflight' | 'length' | 'encoding' | 'upgrade'

interface Name {
  readonly lower: string
  readonly kind: Kind
}

const kinds: Readonly<Record<string, Kind>> = {
  connection: 'connection',
  host: 'host',
  origin: 'origin',
  'access-control-request-method': 'preflight',
  'content-length': 'length',
  'transfer-encoding': 'encoding',
  upgrade: 'upgrade',
  'keep-alive': 'drop',
  'proxy-connection': 'drop',
  'proxy-authenticate': 'drop',
  'proxy-authorization': 'drop',
  te: 'drop',
  trailer: 'drop',
  trailers: 'drop',
  'http2-settings': 'drop',
  expect: 'drop',
  // Written by the gateway from the connection it sees; a client's own would be believed upstream.
  forwarded: 'drop',
  via: 'drop',
  'x-forwarded-for': 'drop',
  'x-forwarded-host': 'drop',
  'x-forwarded-proto': 'drop',
  'x-forwarded-port': 'drop',
  'x-real-ip': 'drop',
  // RFC 9440 §4: what a proxy would say of a client's certificate is taken from nobody else.
  'client-cert': 'drop',
  'client-cert-chain': 'drop',
  'x-forwarded-client-cert': 'drop',
}

// A handful of spellings make up nearly all traffic; lower-casing and classifying each anew is a fifth of this pass.
const known = new Map<string, Name>()
const knownLimit = 2_000

/**
 * @param requestLineBytes method, target and protocol, counted into AWS's limit of request line plus header values
 */
export function readHead(raw: readonly string[], requestLineBytes: number): Head | HeadFault {
  const fields: string[] = []
  const connectionNames: string[] = []
  let bytes = requestLineBytes
  let host: string | null = null
  let origin: string | null = null
  let preflightMethod: string | null = null
  let contentLength = 0
  let isChunked = false
  for (let i = 0; i < raw.length; i += 2) {
    const value = raw[i + 1]!
    const name = nameOf(raw[i]!)
    if (name === null) return 'smuggled'
    const { lower, kind } = name
    bytes += value.length
    if (kind === 'keep') fields.push(lower, value)
    else if (kind === 'host') {
      if (host !== null) return 'smuggled'
      host = value
    } else if (kind === 'connection') addNames(value, connectionNames)
    else if (kind === 'origin') {
      if (origin !== null) return 'malformed'
      origin = value
      fields.push(lower, value)
    } else if (kind === 'preflight') {
      preflightMethod = value
      fields.push(lower, value)
    } else if (kind === 'length') contentLength = Number(value)
    else if (kind === 'encoding') {
      // Nothing else ends a body here; a coding that is ignored would be a second reading of the length.
      if (isChunked || value.trim().toLowerCase() !== 'chunked') return 'smuggled'
      isChunked = true
    } else if (kind === 'upgrade') return 'malformed'
  }
  if (bytes > limits.headBytes) return 'headTooLarge'
  if (host === null || !Number.isSafeInteger(contentLength)) return 'smuggled'
  // It is passed on to upstreams as what the client asked for, and is looked up in three places.
  if (!isHost(host)) return 'malformed'
  return { fields, host, origin, preflightMethod, connectionNames, contentLength, isChunked }
}

/** The first value of a header; empty when absent. */
export function firstField(fields: readonly string[], name: string): string {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]!
  return ''
}

/** The one value of a header; `undefined` when absent, `null` when it was sent more than once. */
export function singleField(fields: readonly string[], name: string): string | null | undefined {
  let found: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== name) continue
    if (found !== undefined) return null
    found = fields[i + 1]
  }
  return found
}

/** What becomes of a header, by its name as it was written; `null`: no header can have this name. */
export function nameOf(raw: string): Name | null {
  const name = known.get(raw)
  if (name !== undefined) return name
  if (!token.test(raw)) return null
  const own = ownText(raw)
  const lower = own.toLowerCase()
  const fresh = { lower, kind: kindOf(lower) }
  if (known.size < knownLimit) known.set(own, fresh)
  return fresh
}

function kindOf(lower: string): Kind {
  const kind = isReserved(lower) ? 'drop' : Object.hasOwn(kinds, lower) ? kinds[lower] : undefined
  if (kind !== undefined) return kind
  if (!lower.includes('_')) return 'keep'
  // CGI-style servers (WSGI, PHP) read `x_forwarded_for` and `x-forwarded-for` as one variable.
  const dashed = lower.replaceAll('_', '-')
  return isReserved(dashed) || Object.hasOwn(kinds, dashed) || dashed === 'authorization' ? 'drop' : 'keep'
}

// The gateway's own namespace, in which upstreams look for facts about the caller.
const isReserved = (name: string): boolean => name.startsWith('x-amzn-') || name.startsWith('apigw-')

function addNames(value: string, names: string[]): void {
  if (value === 'keep-alive' || value === 'close') return
  for (const part of value.split(',')) {
    const name = part.trim().toLowerCase()
    if (name !== '' && name !== 'keep-alive' && name !== 'close') names.push(name)
  }
}
