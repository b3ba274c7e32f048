/** Fixture: a client's connection in memory, on whose other side requests are recorded instead of forwarded. */
import type { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { type Answer, answers } from '../answers.ts'
import type { Exchange } from '../exchange.ts'
import { readHead } from '../head.ts'
import type { Pipeline } from '../pipeline.ts'
import { attendClient, type ClientConnection } from './client-connection.ts'
import type { Request } from './request.ts'
import type { Response } from './response.ts'

/** What was read as a request, complete with its body. */
export interface ReadRequest {
  readonly method: string
  readonly url: string
  readonly version: string
  readonly headers: readonly string[]
  readonly body: string
}

export interface Client {
  readonly connection: ClientConnection
  /** Its end of the connection. */
  readonly side: Duplex
  /** All that has come back. */
  received: string
  readonly requests: readonly ReadRequest[]
  /** Closed by the server, or by both. */
  readonly closed: Promise<void>
  /** Requests that wait for their answer, where the client was started with `isSlow`. */
  readonly waiting: (() => void)[]
}

/** The refusals of `decide.ts` that end a connection. */
export function refusalOf(rawHeaders: readonly string[], version: string): Answer | null {
  const head = readHead(rawHeaders, 0)
  if (head === 'smuggled' || head === 'headTooLarge') return answers[head]
  if (typeof head === 'string') return null
  return version === '1.1' || (version === '1.0' && !head.isChunked) ? null : answers.smuggled
}

/** Connects a client. Each request is answered `200` with its number, at once or when `waiting` is called. */
export function connectClient({ isSlow = false } = {}): Client {
  const [side, other] = duplexPair()
  const requests: ReadRequest[] = []
  const waiting: (() => void)[] = []
  const pipeline: Pipeline = (request, response) => {
    const number = requests.length + waiting.length
    const exchange = { isEnded: false, abandon: (reply: Answer) => refuse(reply) }
    const end = (status: number, fields: string[], body: string): void => {
      if (exchange.isEnded) return
      exchange.isEnded = true
      response.writeHead(status, [...fields, 'content-length', String(body.length)])
      response.end(body)
    }
    const refuse = ({ status, body }: Answer): void => end(status, ['connection', 'close'], body)
    const refusal = refusalOf(request.rawHeaders, request.httpVersion)
    if (refusal !== null) refuse(refusal)
    else {
      record(request, response, (read) => {
        requests.push(read)
        const reply = (): void => end(200, [], `#${number}`)
        if (isSlow) waiting.push(reply)
        else reply()
      })
    }
    return exchange as unknown as Exchange
  }
  const connection = attendClient(other as Socket, {
    pipeline,
    now: () => Date.UTC(2026, 10, 30),
    keepAlive: 'timeout=65',
    onClosed: () => undefined,
  })
  // As the buffer that all connections share is overwritten by the next read.
  other.on('data', (bytes: Buffer) => bytes.fill(0xff))
  const client: Client = {
    connection,
    side,
    received: '',
    requests,
    waiting,
    closed: new Promise((resolve) => {
      other.once('close', resolve)
    }),
  }
  side.on('error', () => undefined)
  side.on('data', (bytes: Buffer) => {
    client.received += bytes.toString('latin1')
  })
  return client
}

/** Writes pieces one by one, each read before the next is written. */
export async function write(client: Client, ...pieces: readonly (string | Buffer)[]): Promise<void> {
  for (const piece of pieces) {
    client.side.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece))
    await settled()
  }
}

/** Resolves when everything that can happen without further bytes has happened. */
export async function settled(): Promise<void> {
  for (let left = 4; left > 0; left--) await turn()
}

function record(
  { method, url, httpVersion, rawHeaders, body }: Request,
  response: Response,
  done: (read: ReadRequest) => void,
): void {
  const chunks: Buffer[] = []
  const end = (): void =>
    done({ method, url, version: httpVersion, headers: rawHeaders, body: Buffer.concat(chunks).toString('latin1') })
  if (response.headersSent) return
  if (body === null) end()
  else body.stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', end)
}
