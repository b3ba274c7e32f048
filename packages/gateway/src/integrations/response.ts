import type { Dispatcher } from 'undici'
import { type Answer, answers } from '../answers.ts'
import { answer, type Exchange, finish } from '../exchange.ts'
import type { Deadlines } from './deadlines.ts'

// Up to this size an answer leaves as one string with its head: one write instead of two, and no copy worth naming.
const oneWriteBytes = 16 * 1024

/**
 * Passes an upstream's answer to the client of an exchange, with back-pressure, and ends both sides together. From here
 * on `exchange.abandon` stops both, closing when the upstream's answer has begun.
 */
export function relayResponse(
  exchange: Exchange,
  deadlines: Deadlines,
  onFault: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  const { response } = exchange
  let controller: Dispatcher.DispatchController | null = null
  let isOver = false
  let status = 0
  let fields: string[] = []
  let declared = -1
  let held: Buffer | null = null
  let bytes = 0

  const end = (): void => {
    isOver = true
    deadlines.remove(deadline)
  }
  const abandon = (reply: Answer): void => {
    if (isOver) return
    end()
    controller?.abort(new Error('the exchange was abandoned'))
    if (response.headersSent) {
      // Half an answer: a closed connection tells the client so, a clean end would hide it.
      response.destroy()
      finish(exchange, status, bytes)
    } else answer(exchange, reply)
  }
  const deadline = { at: 0, expire: () => abandon(answers.integrationTooSlow) }
  deadlines.add(deadline)
  exchange.abandon = abandon
  const writeHead = (): void => {
    if (!response.headersSent) response.writeHead(status, fields)
  }
  const write = (chunk: Buffer): void => {
    writeHead()
    if (response.write(chunk)) return
    controller?.pause()
    response.once('drain', () => controller?.resume())
  }

  response.once('close', () => {
    if (isOver) return
    end()
    controller?.abort(new Error('the client closed the connection'))
    finish(exchange, status || 499, bytes)
  })

  return {
    onRequestStart: (started) => {
      controller = started
      if (isOver) started.abort(new Error('the exchange was abandoned'))
    },
    onResponseStart: (_controller, code, headers) => {
      if (isOver || code < 200) return
      status = code
      const length = headers['content-length']
      declared = typeof length === 'string' ? Number(length) : -1
      fields = responseFields(exchange, headers)
    },
    onResponseData: (_controller, chunk) => {
      if (isOver) return
      bytes += chunk.length
      if (held === null && bytes === declared && bytes <= oneWriteBytes && !response.headersSent) held = chunk
      else write(chunk)
    },
    onResponseEnd: () => {
      if (isOver) return
      end()
      writeHead()
      if (held === null) response.end()
      else response.end(held.toString('latin1'), 'latin1')
      finish(exchange, status, bytes)
    },
    onResponseError: (_controller, error) => {
      if (isOver) return
      onFault(error)
      abandon(answers.integrationUnreachable)
    },
  }
}

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
])

function responseFields(exchange: Exchange, headers: Record<string, string | string[] | undefined>): string[] {
  const fields = ['apigw-requestid', exchange.id]
  const ownsCors = exchange.cors !== null
  const claimed = headers.connection === undefined ? null : connectionNames(headers.connection)
  for (const name in headers) {
    if (hopByHop.has(name) || claimed?.has(name) === true) continue
    if (name.startsWith('apigw-') || (ownsCors && name.startsWith('access-control-'))) continue
    const value = headers[name]
    if (typeof value === 'string') fields.push(name, value)
    else for (const item of value ?? []) fields.push(name, item)
  }
  if (exchange.cors !== null) fields.push(...exchange.cors)
  return fields
}

function connectionNames(value: string | string[]): ReadonlySet<string> | null {
  if (value === 'keep-alive' || value === 'close') return null
  const names = (typeof value === 'string' ? value : value.join(','))
    .split(',')
    .map((name) => name.trim().toLowerCase())
  // The length of the body is the framing of this hop, whatever the upstream claims about it.
  return new Set(names.filter((name) => name !== 'content-length'))
}
