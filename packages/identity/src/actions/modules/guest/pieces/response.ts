import { Body, contentOf } from './body.ts'
import { Headers, type HeadersInit } from './headers.ts'

interface ResponseInit {
  status?: number
  statusText?: string
  headers?: HeadersInit
}

export class Response extends Body {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  readonly type = 'default'
  url = ''
  redirected = false

  constructor(body?: unknown, { status = 200, statusText = '', headers }: ResponseInit = {}) {
    const { content, type } = contentOf(body)
    super(content)
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new RangeError('Response: the status must be a whole number from 200 to 599')
    this.status = status
    this.statusText = statusText
    this.headers = new Headers(headers)
    if (type !== null && !this.headers.has('content-type')) this.headers.set('content-type', type)
  }
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }
  clone(): Response {
    const { status, statusText, headers } = this
    const copy = new Response(Body.contentOf(this), { status, statusText, headers })
    copy.url = this.url
    copy.redirected = this.redirected
    return copy
  }
  static json(value: unknown, init: ResponseInit = {}): Response {
    const headers = new Headers(init.headers)
    if (!headers.has('content-type')) headers.set('content-type', 'application/json')
    return new Response(JSON.stringify(value), { ...init, headers })
  }
}
