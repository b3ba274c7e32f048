import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './answers.ts'

/** One request and its answer, while they last: what the stages hand each other. */
export interface Exchange {
  readonly id: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Set when the client waits for `100 Continue` before it sends its body. */
  readonly awaitsContinue: boolean
  routeKey: string
  /** `$context.authorizer.error`. */
  authorizerError: string
  /** CORS header pairs for the answer; `null` when the API has no CORS configuration. */
  cors: readonly string[] | null
  status: number
  bytes: number
  /** Called once, when the answer has been written or given up. */
  readonly onEnd: (exchange: Exchange) => void
  isEnded: boolean
  /** The connection ends with this answer: what the parser still finds behind it is not a request. */
  closes: boolean
  /** Gives up whatever is under way for this exchange and answers for the gateway. */
  abandon: (reply: Answer) => void
}

/** Answers for the gateway itself. Does nothing once an answer has begun: that one cannot be taken back. */
export function answer(exchange: Exchange, { status, body, contentType, closes }: Answer, fields: string[] = []): void {
  const { response } = exchange
  if (response.headersSent) return
  exchange.closes = closes === true
  const all = ['apigw-requestid', exchange.id, ...fields]
  if (exchange.cors !== null) all.push(...exchange.cors)
  if (contentType) all.push('content-type', 'application/json')
  if (closes === true) all.push('connection', 'close')
  all.push('content-length', String(body.length))
  response.writeHead(status, all)
  response.end(body, 'latin1')
  finish(exchange, status, body.length)
}

export function finish(exchange: Exchange, status: number, bytes: number): void {
  if (exchange.isEnded) return
  exchange.isEnded = true
  exchange.status = status
  exchange.bytes = bytes
  exchange.onEnd(exchange)
}
