/**
 * A request's way through the gateway, in order: host, head, path, preflight, route, authorizer, integration. Each
 * stage either answers or hands on; the integration is reached only by falling through every check before it, and
 * whatever throws on the way is answered 500 without being forwarded.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Answer, answers } from './answers.ts'
import { limits, methods } from './api.ts'
import type { Refusal } from './authorizers/refusals.ts'
import { connectionOf } from './connection.ts'
import type { Deployment, Target } from './deployment.ts'
import { answer, type Exchange, finish } from './exchange.ts'
import { type Head, readHead } from './head.ts'
import { createRequestId } from './request-id.ts'
import { type CanonicalPath, canonicalPath } from './routing/path.ts'

export interface PipelineDeps {
  /** The deployment that answers a `Host`, or `null`. */
  readonly deploymentOf: (host: string) => Deployment | null
  readonly onEnd: (exchange: Exchange) => void
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export type Pipeline = (request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => void

export function createPipeline(deps: PipelineDeps): Pipeline {
  const fail = (exchange: Exchange, error: unknown): void => {
    deps.onFault(exchange, error)
    answer(exchange, answers.failed)
    if (!exchange.isEnded) exchange.response.destroy()
  }

  const forward = (exchange: Exchange, head: Head, path: CanonicalPath, target: Target): void => {
    // The client may have gone, or sent nonsense, while keys were fetched.
    if (!exchange.isEnded && !exchange.response.destroyed) target.integration(exchange, head, path)
  }

  const refuse = (exchange: Exchange, refusal: Refusal): void => {
    exchange.authorizerError = refusal.error
    const reply = refusal.status === 401 ? answers.jwtUnauthorized : answers.jwtForbidden
    answer(exchange, reply, refusal.challenge === null ? [] : ['www-authenticate', refusal.challenge])
  }

  const settle = (
    exchange: Exchange,
    head: Head,
    path: CanonicalPath,
    target: Target,
    verdict: Refusal | null,
  ): void => (verdict === null ? forward(exchange, head, path, target) : refuse(exchange, verdict))

  const authorize = (exchange: Exchange, head: Head, path: CanonicalPath, target: Target): void => {
    // `null` means that the definition declares this route open; a missing authorizer never compiles.
    const verdict = target.authorizer === null ? null : target.authorizer.authorize(head, path.query, target.scopes)
    if (!(verdict instanceof Promise)) settle(exchange, head, path, target, verdict)
    else {
      verdict
        .then((late) => settle(exchange, head, path, target, late))
        .catch((error: unknown) => fail(exchange, error))
    }
  }

  /** Returns the refusal to answer with, or `null` when the request has been taken care of. */
  const run = (exchange: Exchange): Answer | null => {
    const { method = '', rawHeaders, url = '' } = exchange.request
    const head = readHead(rawHeaders, method.length + url.length + requestLineRest)
    if (typeof head === 'string') return answers[head]
    const deployment = deps.deploymentOf(head.host)
    if (deployment === null) return answers.noApi
    const path = canonicalPath(url)
    if (path === null) return answers.malformed
    const { cors } = deployment
    if (cors !== null) {
      exchange.cors = head.origin === null ? [] : cors.answer(head.origin)
      if (method === 'OPTIONS' && head.origin !== null && head.preflightMethod !== null) {
        answerPreflight(exchange, cors.preflight(head.origin))
        return null
      }
    }
    const route = known.has(method) ? deployment.router.find(method, path) : null
    if (route === null) return answers.noRoute
    exchange.routeKey = route.key
    if (head.contentLength > limits.bodyBytes) return answers.bodyTooLarge
    authorize(exchange, head, path, deployment.target(route))
    return null
  }

  return (request, response, awaitsContinue) => {
    const exchange: Exchange = {
      id: createRequestId(),
      request,
      response,
      awaitsContinue,
      routeKey: '',
      authorizerError: '',
      cors: null,
      status: 0,
      bytes: 0,
      onEnd: deps.onEnd,
      isEnded: false,
      closes: false,
      abandon: (reply) => answer(exchange, reply),
    }
    const connection = connectionOf(request.socket)
    // Bytes behind a refused head have no certain beginning: whatever they look like, they are not answered.
    if (connection.last?.closes === true) return
    connection.last = exchange
    try {
      const refusal = run(exchange)
      if (refusal !== null) answer(exchange, refusal)
    } catch (error) {
      fail(exchange, error)
    }
  }
}

// `ANY` stands for these and not for whatever else HTTP knows, TRACE among it.
const known: ReadonlySet<string> = new Set(methods)

// Two spaces and `HTTP/1.1`.
const requestLineRest = 10

function answerPreflight(exchange: Exchange, fields: readonly string[]): void {
  exchange.response.writeHead(204, ['apigw-requestid', exchange.id, ...fields])
  exchange.response.end()
  finish(exchange, 204, 0)
}
