import type { Answer } from './answers.ts'
import type { Deployment } from './deployment.ts'
import type { Head } from './head.ts'
import type { Request } from './inbound/request.ts'
import type { Response } from './inbound/response.ts'
import { createRequestId } from './request-id.ts'
import type { CanonicalPath } from './routing/path.ts'
import type { CompiledRoute } from './routing/router.ts'
import type { Trace } from './trace.ts'

/** One request and its answer, while they last: what the stages hand each other. */
export interface Exchange {
  readonly id: string
  readonly request: Request
  readonly response: Response
  /** Set when the client waits for `100 Continue` before it sends its body. */
  readonly awaitsContinue: boolean
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  /** What is known so far, stage by stage; a refused request never gets further. */
  head: Head | null
  deployment: Deployment | null
  /** The path below the API's base path, which the routes are matched with. */
  path: CanonicalPath | null
  /** The base path that was taken off: a stage's name or a custom domain's mapping key. */
  basePath: string
  /** `basePath` belongs to a mapping, and integrations do not see it. */
  isMapped: boolean
  route: CompiledRoute | null
  caller: Caller
  /** `$context.authorizer.error`. */
  authorizerError: string
  /** CORS header pairs for the answer; `null` when the API has no CORS configuration. */
  cors: readonly string[] | null
  /** A browser asks whether a page may send the real request; only where the API has a CORS configuration. */
  isPreflight: boolean
  status: number
  /** Of the answer's body. */
  bytes: number
  /** Of the request's body, as far as it was read. */
  receivedBytes: number
  /** Set when the gateway answered by itself. */
  refusal: Answer | null
  /** Milliseconds since 1970; 0 while it lasts. */
  endedAt: number
  /** What became of the integration: filled by it, read by the access log. */
  readonly integration: IntegrationRecord
  /** Value of `x-amzn-trace-id`; empty until a function is told of the request. */
  traceId: string
  /** Called once, when the answer has been written or given up. */
  readonly onEnd: (exchange: Exchange) => void
  isEnded: boolean
  /** Set for a request that is explained and not carried out: nothing may be taken for it. */
  readonly trace: Trace | null
  /** Gives up whatever is under way for this exchange and answers for the gateway. */
  abandon: (reply: Answer) => void
}

/** An exchange whose route is known: what authorizers and integrations are given. */
export interface Call extends Exchange {
  head: Head
  deployment: Deployment
  path: CanonicalPath
  route: CompiledRoute
}

/** Who calls, as the route's authorizer found. */
export type Caller =
  | { readonly type: 'NONE' }
  | {
      readonly type: 'JWT'
      readonly claims: Readonly<Record<string, unknown>>
      readonly scopes: ReadonlySet<string>
      /** How lists and objects among the claims are written for integrations and logs. */
      readonly claimsAs: 'brackets' | 'json'
    }
  | {
      readonly type: 'CUSTOM'
      readonly principalId: string | null
      readonly context: Readonly<Record<string, unknown>>
    }

export const nobody: Caller = { type: 'NONE' }

export interface IntegrationRecord {
  /** On the monotonic clock of `performance.now()`; 0: never reached. */
  startedAt: number
  /** Milliseconds until its answer's head; -1: none came. */
  latency: number
  /** Of the upstream or of the function's answer; 0: none. */
  status: number
  /** Of the invocation itself, where functions are invoked; 0: none. */
  serviceStatus: number
  /** `$context.integrationErrorMessage`. */
  error: string
  /** The upstream service's own id of the request. */
  requestId: string
  /** Its second one, `x-amz-id-2`. */
  requestId2: string
}

/** A request of which nothing is known yet. */
export function createExchange(
  request: Request,
  response: Response,
  rest: Pick<Exchange, 'awaitsContinue' | 'receivedAt' | 'onEnd'> & { readonly trace?: Trace },
): Exchange {
  const exchange: Exchange = {
    id: createRequestId(),
    request,
    response,
    awaitsContinue: rest.awaitsContinue,
    receivedAt: rest.receivedAt,
    head: null,
    deployment: null,
    path: null,
    basePath: '',
    isMapped: false,
    route: null,
    caller: nobody,
    authorizerError: '',
    cors: null,
    isPreflight: false,
    status: 0,
    bytes: 0,
    receivedBytes: 0,
    refusal: null,
    endedAt: 0,
    integration: { startedAt: 0, latency: -1, status: 0, serviceStatus: 0, error: '', requestId: '', requestId2: '' },
    traceId: '',
    onEnd: rest.onEnd,
    isEnded: false,
    trace: rest.trace ?? null,
    abandon: (reply) => answer(exchange, reply),
  }
  return exchange
}

/** Answers for the gateway itself. Does nothing once an answer has begun: that one cannot be taken back. */
export function answer(exchange: Exchange, reply: Answer, fields: readonly string[] = []): void {
  const { response } = exchange
  const { status, body, contentType, closes } = reply
  if (response.headersSent) return
  exchange.refusal = reply
  const all = ['apigw-requestid', exchange.id, ...fields]
  if (exchange.cors !== null) all.push(...exchange.cors)
  if (contentType) all.push('content-type', 'application/json')
  if (closes === true) all.push('connection', 'close')
  all.push('content-length', String(body.length))
  response.writeHead(status, all)
  response.end(body)
  finish(exchange, status, body.length)
}

export function finish(exchange: Exchange, status: number, bytes: number): void {
  if (exchange.isEnded) return
  exchange.isEnded = true
  exchange.status = status
  exchange.bytes = bytes
  exchange.onEnd(exchange)
}
