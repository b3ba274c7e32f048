/**
 * Requests as they are written and answers as they come. node:http and not fetch, because fetch puts `..` and other
 * spellings of a path in order before they are sent, follows redirections, and hides which connection is used.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

export interface Credential {
  /** As a report names it: `tenant A`. */
  name: string
  /** The shell variable that stands for it in commands: a token itself is never shown. */
  variable: string
  /** The Authorization header's value; undefined sends none. */
  authorization?: string
}

export interface Call {
  method: string
  url: URL
  /** Path and query exactly as they are sent. */
  target: string
  /** Without Authorization. */
  headers: Readonly<Record<string, string>>
  body?: { contentType: string; content: Buffer }
  credential: Credential
}

export interface Answer {
  call: Call
  status: number
  headers: Readonly<Record<string, string>>
  text: string
}

/** A request that got no answer: refused connection, timeout, an answer that broke off. */
export class NoAnswer extends Error {
  constructor(call: Call, cause: Error) {
    super(`${call.method} ${call.target} got no answer: ${cause.message}`, { cause })
    this.name = 'NoAnswer'
  }
}

export interface ExchangeOptions {
  /** Requests per second, at most. */
  rate: number
  requestTimeoutMs: number
  /** Certificate authorities (PEM) besides those of Node. */
  ca?: string
}

export interface Connections {
  send(call: Call): Promise<Answer>
  close(): void
}

export interface Exchange {
  /** Connections that are shared by whoever gets this: one per tenant keeps tenants apart, one for both mixes them. */
  connections(limit: number): Connections
  /** How many requests have been sent. */
  readonly sent: number
}

const MOST_BYTES = 8 * 1024 * 1024

export function createExchange({ rate, requestTimeoutMs, ca }: ExchangeOptions): Exchange {
  let sent = 0
  let nextAt = 0
  const turn = async (): Promise<void> => {
    sent++
    if (!Number.isFinite(rate)) return
    const now = performance.now()
    const mine = Math.max(now, nextAt)
    nextAt = mine + 1000 / rate
    if (mine > now) await delay(mine - now)
  }
  return {
    get sent() {
      return sent
    },
    connections(limit) {
      const http = new HttpAgent({ keepAlive: true, maxSockets: limit })
      const https = new HttpsAgent({ keepAlive: true, maxSockets: limit, ...(ca === undefined ? {} : { ca }) })
      const once = (call: Call): Promise<Answer> =>
        transmit(call, call.url.protocol === 'https:' ? https : http, requestTimeoutMs)
      return {
        async send(call) {
          for (let attempt = 1; ; attempt++) {
            await turn()
            const answer = await once(call)
            // A limit of requests says nothing about isolation: what it asks for is waited, within reason.
            if (answer.status !== 429 || attempt === 3) return answer
            const seconds = Number(answer.headers['retry-after'] ?? attempt)
            await delay(Math.min(Number.isFinite(seconds) ? seconds : attempt, 10) * 1000)
          }
        },
        close() {
          http.destroy()
          https.destroy()
        },
      }
    },
  }
}

function transmit(call: Call, agent: HttpAgent | HttpsAgent, timeoutMs: number, again = true): Promise<Answer> {
  const { url, body, credential } = call
  const headers: Record<string, string> = { accept: '*/*', ...call.headers }
  if (credential.authorization !== undefined) headers.authorization = credential.authorization
  if (body) {
    headers['content-type'] ??= body.contentType
    headers['content-length'] = String(body.content.length)
  } else if (call.method !== 'GET' && call.method !== 'HEAD') headers['content-length'] = '0'
  const options: RequestOptions = {
    agent: agent as HttpAgent,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
    method: call.method,
    path: call.target,
    headers,
    signal: AbortSignal.timeout(timeoutMs),
  }
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new NoAnswer(call, error))
    try {
      const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(options)
      outgoing.once('response', (incoming) => read(call, incoming).then(resolve, fail))
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was taken up again: the request was not seen.
        if (again && outgoing.reusedSocket && error.code === 'ECONNRESET') {
          transmit(call, agent, timeoutMs, false).then(resolve, reject)
        } else fail(error)
      })
      outgoing.end(body?.content)
    } catch (error) {
      fail(error as Error)
    }
  })
}

async function read(call: Call, incoming: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_BYTES) {
      incoming.destroy()
      break
    }
    chunks.push(chunk)
  }
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )
  return { call, status: incoming.statusCode ?? 0, headers, text: Buffer.concat(chunks).toString('utf8') }
}

export const succeeded = ({ status }: { status: number }): boolean => status >= 200 && status < 300

/** The answer as JSON, or undefined when it is none. */
export function jsonOf({ text }: { text: string }): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The request as a command for a shell in which the tokens are variables. */
export function curlOf({ method, url, target, headers, body, credential }: Call): string {
  const parts = ['curl -sS -i --path-as-is', `-X ${method}`, quoted(`${url.origin}${target}`)]
  if (credential.authorization !== undefined) parts.push(`-H "authorization: Bearer $${credential.variable}"`)
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`)
  if (body) {
    if (headers['content-type'] === undefined) parts.push(`-H ${quoted(`content-type: ${body.contentType}`)}`)
    parts.push(`--data-binary ${quoted(body.content.toString('utf8'))}`)
  }
  return parts.join(' ')
}
