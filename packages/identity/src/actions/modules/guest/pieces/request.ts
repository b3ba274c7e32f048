import { URL } from '../url.ts'
import { type AbortSignal, AbortSignal as Signal } from './abort.ts'
import { Body, contentOf } from './body.ts'
import { Headers, type HeadersInit } from './headers.ts'

export interface RequestInit {
  method?: string
  headers?: HeadersInit
  body?: unknown
  redirect?: string
  signal?: AbortSignal | null
}

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const USUAL = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'])

function methodOf(method: unknown): string {
  const text = String(method)
  const upper = text.toUpperCase()
  if (!METHOD.test(text) || ['CONNECT', 'TRACE', 'TRACK'].includes(upper))
    throw new TypeError(`Request: the method ${text} is not allowed`)
  // As the standard says: `patch` stays as it is written, and servers refuse it.
  return USUAL.has(upper) ? upper : text
}

function urlOf(input: unknown): string {
  let url: InstanceType<typeof URL>
  try {
    url = new URL(String(input))
  } catch {
    throw new TypeError(`Failed to parse URL from ${String(input)}`)
  }
  if (url.username || url.password)
    throw new TypeError('Request: the URL holds a user name or password; send them in the header authorization')
  return url.href
}

export class Request extends Body {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly redirect: 'follow' | 'manual' | 'error'
  readonly signal: AbortSignal

  constructor(input: unknown, init: RequestInit = {}) {
    const from = input instanceof Request ? input : undefined
    const given = init.body === undefined && from ? { content: Body.contentOf(from), type: null } : contentOf(init.body)
    super(given.content)
    this.url = from ? from.url : urlOf(input)
    this.method = init.method === undefined ? (from?.method ?? 'GET') : methodOf(init.method)
    if (given.content !== null && (this.method === 'GET' || this.method === 'HEAD'))
      throw new TypeError('Request with GET/HEAD method cannot have body')
    this.headers = new Headers(init.headers ?? from?.headers)
    if (given.type !== null && !this.headers.has('content-type')) this.headers.set('content-type', given.type)
    const redirect = init.redirect ?? from?.redirect ?? 'follow'
    if (redirect !== 'follow' && redirect !== 'manual' && redirect !== 'error')
      throw new TypeError(`Request: redirect is follow, manual or error, not ${redirect}`)
    this.redirect = redirect
    const signals = [init.signal === undefined ? from?.signal : init.signal].filter((signal) => !!signal)
    this.signal = Signal.any(signals)
  }
  clone(): Request {
    return new Request(this)
  }
}
