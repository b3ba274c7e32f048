/**
 * One client's connection: bytes become requests, one at a time. What stands behind a request is read as far as the next
 * head, and carried out once the answer before it has left.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type Answer, answers } from '../answers.ts'
import { limits } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import type { Pipeline } from '../pipeline.ts'
import { createRequestId } from '../request-id.ts'
import { readAhead } from './read-ahead.ts'
import type { Request } from './request.ts'
import { createRequestBody } from './request-body.ts'
import type { RequestHead } from './request-head.ts'
import { Response, type ResponseDeps } from './response.ts'
import { readBytes } from './socket-bytes.ts'

export interface ClientConnection {
  /** Nothing of a request has come, and no answer is due. */
  readonly isIdle: boolean
  /** Ends what has taken longer than it may. */
  expire(now: number, timeouts: Timeouts): void
  /** Takes no further request: ends now when it is idle, else behind the answer that is due. */
  drain(): void
  destroy(): void
}

/** Milliseconds. They may be changed while connections are open. */
export interface Timeouts {
  /** For the head of a request, and for a new connection to begin one. */
  headersTimeout: number
  /** For a whole request, from its first byte to its last. */
  requestTimeout: number
  /** Between an answer and the next request. */
  keepAliveTimeout: number
}

export interface ClientConnectionDeps {
  readonly pipeline: Pipeline
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly keepAlive: string
  readonly onClosed: (connection: ClientConnection) => void
}

/** A request, until its answer has left and its last byte has come. */
interface Turn {
  readonly request: Request
  readonly response: Response
  exchange: Exchange | null
}

const empty = Buffer.alloc(0)
const continues = /(?:^|\W)100-continue(?:$|\W)/i
// Closed at once, the client's kernel would throw the last answer away with what the client is still sending.
const lingerMs = 1_000
// A client that has closed its side, or is shown the door, and reads no answer.
const closingMs = limits.timeoutMs.max + lingerMs

export function attendClient(socket: Socket, deps: ClientConnectionDeps): ClientConnection {
  const { pipeline, onClosed } = deps
  let rest: Buffer = empty
  let seen = 0
  let next: RequestHead | null = null
  let turn: Turn | null = null
  let isFresh = true
  let isConsuming = false
  let isDraining = false
  let isClosing = false
  let since = performance.now()

  /** Nothing more is read as a request from here on. */
  const close = (lastWords?: string): void => {
    if (isClosing) return
    isClosing = true
    since = performance.now()
    rest = empty
    next = null
    turn?.request.body?.discard()
    let timer: NodeJS.Timeout | undefined
    socket.once('finish', () => {
      timer = setTimeout(() => socket.destroy(), lingerMs)
    })
    socket.once('close', () => clearTimeout(timer))
    if (lastWords === undefined) socket.end()
    else socket.end(lastWords, 'latin1')
    socket.resume()
  }

  const refuse = (reply: Answer): void => {
    if (isClosing) return
    if (turn === null) close(bare(reply))
    else if (turn.request.body?.isComplete === false && turn.exchange?.isEnded === false) turn.exchange.abandon(reply)
    // In front of answers that are still to come nothing is written: the client would take it for one of them.
    else socket.destroy()
  }

  const endTurn = (): void => {
    turn = null
    since = performance.now()
    if (isDraining) close()
  }

  const onEnd = (response: Response): void => {
    if (!response.keepsAlive) {
      close()
      return
    }
    const body = turn?.request.body ?? null
    if (body !== null && !body.isComplete) body.discard()
    else endTurn()
    if (!isConsuming) consume()
  }
  const responseDeps: ResponseDeps = { now: deps.now, keepAlive: deps.keepAlive, onEnd }
  const flow = {
    pause: () => void socket.pause(),
    resume: () => {
      if (socket.isPaused()) socket.resume()
    },
  }

  const begin = (head: RequestHead): void => {
    const { method, target, version, rawHeaders, bodyLength, expect } = head
    const awaitsContinue = expect !== null && version === '1.1'
    if (method === 'CONNECT' || (awaitsContinue && !continues.test(expect))) {
      refuse(method === 'CONNECT' ? answers.noRoute : answers.expectation)
      return
    }
    const body = bodyLength === 0 ? null : createRequestBody(bodyLength, flow)
    const request: Request = { method, url: target, httpVersion: version, rawHeaders, body, socket }
    const response = new Response(socket, head, awaitsContinue, responseDeps)
    const begun: Turn = { request, response, exchange: null }
    turn = begun
    begun.exchange = pipeline(request, response, awaitsContinue)
  }

  /** Takes what there is; returns whether something was taken. */
  const step = (): boolean => {
    const body = turn?.request.body
    if (body?.isComplete === false) {
      const end = body.take(rest, 0)
      if (end === -1) refuse(answers.smuggled)
      if (end === -1) return false
      rest = rest.subarray(end)
      if (body.isComplete && turn?.response.isEnded === true) endTurn()
      return true
    }
    // What stands behind the last request of a connection is none, whatever it looks like.
    if (turn?.response.keepsAlive === false) {
      rest = empty
      return false
    }
    if (next === null) {
      // RFC 9112 §2.2: empty lines in front of a request are skipped; some clients end a body with one.
      while (rest[0] === 0x0d && rest[1] === 0x0a) {
        rest = rest.subarray(2)
        seen = 0
      }
      if (rest.length === 0 || (rest.length === 1 && rest[0] === 0x0d)) return false
      const found = readAhead(rest, seen)
      seen = rest.length
      if (found === 'partial') return false
      if (typeof found === 'string') refuse(found === 'too large' ? answers.headTooLarge : answers.smuggled)
      if (typeof found === 'string') return false
      next = found.head
      rest = found.end === rest.length ? empty : rest.subarray(found.end)
      seen = 0
    }
    // One request at a time, and none whose answer would only pile up.
    if (turn !== null || socket.writableNeedDrain) {
      socket.pause()
      return false
    }
    const head = next
    next = null
    begin(head)
    return true
  }

  const consume = (): void => {
    isConsuming = true
    while (!isClosing && (rest.length > 0 || next !== null) && step());
    isConsuming = false
    if (!isClosing && next === null && turn?.request.body?.isComplete !== false) flow.resume()
  }

  const onBytes = (bytes: Buffer): void => {
    if (isClosing) return
    // A new connection has its time from the beginning on.
    if (turn === null && rest.length === 0 && !isFresh) since = performance.now()
    isFresh = false
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    consume()
    // What is left of these bytes lies where the next ones are read, whoever sends them.
    if (rest.length > 0 && rest.buffer === bytes.buffer) rest = Buffer.from(rest)
  }

  const connection: ClientConnection = {
    get isIdle() {
      return turn === null && next === null && rest.length === 0 && !isClosing
    },
    expire: (now, { headersTimeout, requestTimeout, keepAliveTimeout }) => {
      const age = now - since
      if (isClosing) {
        if (age > closingMs) socket.destroy()
      } else if (turn !== null) {
        if (turn.request.body?.isComplete === false && age > requestTimeout) refuse(answers.tooSlow)
      } else if (isFresh || rest.length > 0) {
        if (age > headersTimeout) refuse(answers.tooSlow)
      } else if (age > keepAliveTimeout) socket.destroy()
    },
    drain: () => {
      isDraining = true
      if (!connection.isIdle) return
      // The end of its last answer may still be on its way to it.
      if (socket.writableLength === 0) socket.destroy()
      else close()
    },
    destroy: () => socket.destroy(),
  }

  readBytes(socket, onBytes)
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => {
    turn?.response.onDrain?.()
    if (next !== null) consume()
  })
  socket.on('end', () => {
    if (isClosing) return
    if (rest.length > 0 || turn?.request.body?.isComplete === false) refuse(answers.smuggled)
    // Whoever has closed its side is taken for gone, as Node's server does; what is written already still leaves.
    else close()
  })
  socket.on('close', () => {
    onClosed(connection)
    turn?.request.body?.stream.destroy()
    if (turn?.response.isEnded === false) turn.response.onGone?.()
  })
  return connection
}

const bare = ({ status, body }: Answer): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\napigw-requestid: ${createRequestId()}\r\n` +
  `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
