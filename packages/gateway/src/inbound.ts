/** The side towards clients: what Node's parser is told to refuse, and how that is answered. */
import http from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Answer, answers } from './answers.ts'
import { limits } from './api.ts'
import { connectionOf } from './connection.ts'
import type { Pipeline } from './pipeline.ts'
import { createRequestId } from './request-id.ts'

/** How both servers read requests. */
export const serverOptions: http.ServerOptions = {
  // Node counts names too, AWS does not: the exact limit is checked on the parsed head.
  maxHeaderSize: limits.headBytes * 2,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  noDelay: true,
  // A request without a body ends as it begins, instead of going through the motions of a stream: 4 µs.
  optimizeEmptyRequests: true,
  // Answered below, with a body and a request id like every other refusal.
  requireHostHeader: false,
}

/** Hands what a server reads to the pipeline, and answers what it cannot read. */
export function serve(server: http.Server, pipeline: Pipeline): void {
  // Node would silently drop the headers above its count limit, among them perhaps the ones that matter.
  server.maxHeadersCount = 0
  for (const event of ['connection', 'secureConnection']) server.on(event, watch)
  server.on('request', (request, response) => pipeline(request, response, false))
  server.on('checkContinue', (request, response) => pipeline(request, response, true))
  server.on('checkExpectation', (_request, response: http.ServerResponse) =>
    refuseRaw(response.socket, answers.expectation),
  )
  server.on('connect', (_request: http.IncomingMessage, socket: Duplex) => refuseRaw(socket, answers.noRoute))
  server.on('clientError', (error: Error & { code?: string }, socket: Duplex) =>
    refuseRaw(socket, parserAnswer(error.code)),
  )
}

function watch(socket: Socket): void {
  // Read once while it can be: of a connection that is gone Node knows no address any more.
  void socket.remoteAddress
  // Whoever has closed its side may still wait for answers, as long as the slowest integration takes. Of 200,000
  // connections of the fuzzer, two stayed half open after their last answer.
  socket.once('end', () => {
    const timer = setTimeout(() => socket.destroy(), limits.timeoutMs.max + lingerMs)
    socket.once('close', () => clearTimeout(timer))
  })
}

const parserAnswer = (code: string | undefined): Answer =>
  code === 'HPE_HEADER_OVERFLOW'
    ? answers.headTooLarge
    : code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? answers.tooSlow
      : answers.smuggled

// What the parser cannot read ends its connection. It is a request's own body, or the beginning of none; in front of
// answers that are still to come nothing is written, because the client would take the refusal for one of them.
function refuseRaw(socket: Duplex | null, reply: Answer): void {
  if (socket === null) return
  // Node has taken its own listener off a connection that asked for CONNECT: a write to a client that has gone would
  // end the process.
  socket.on('error', () => socket.destroy())
  const { last } = connectionOf(socket)
  if (last?.closes === true) return
  if (last !== null && !last.request.complete && !last.isEnded) {
    last.abandon(reply)
    return
  }
  if (!socket.writable || (last !== null && !(last.response.writableFinished && last.request.complete))) {
    socket.destroy()
    return
  }
  const { status, body } = reply
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\napigw-requestid: ${createRequestId()}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )
  // Nobody reads this connection any more. Closed at once, the client's kernel would throw the answer away with what the
  // client is still sending; never closed, a client that goes on sending or falls silent would hold it for ever.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}

const lingerMs = 1_000
