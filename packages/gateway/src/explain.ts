/**
 * Why a request is answered as it is: the same compiled routes, authorizers and limits decide it as decide requests of
 * clients, and note what they look at on the way. Nothing is taken for it: no token of a limit, no call of an
 * integration. A function that is an authorizer is asked, unless its answer is remembered.
 *
 * A connection is no part of the question, so domains with mutual TLS are explained as they answer plain HTTP.
 */
import http from 'node:http'
import net from 'node:net'
import { withoutToken } from './access-log/escape.ts'
import type { Integration } from './api.ts'
import { createDecide, type DecideDeps, type Decision } from './decide.ts'
import type { Deployment } from './deployment.ts'
import { type Call, createExchange, type Exchange } from './exchange.ts'
import type { Request } from './inbound/request.ts'
import { Response } from './inbound/response.ts'
import { compileUri } from './integrations/uri.ts'
import type { Endpoints } from './routing/endpoints.ts'
import type { Step, Trace } from './trace.ts'

export interface Question {
  readonly method: string
  /** Absolute; taken as it is, without the repairs a browser would make. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string
}

export interface Explanation {
  /** What the gateway would answer by itself; `null`: the integration answers. */
  readonly answer: { readonly status: number; readonly body: string } | null
  /** In the order of the checks. */
  readonly steps: readonly Step[]
}

export interface ExplainDeps extends DecideDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Whose APIs whoever asks may know of. */
  readonly isVisible: (deployment: Deployment) => boolean
}

/** @throws Error when the question has no absolute URL, or a header that cannot be sent */
export async function explain(question: Question, deps: ExplainDeps): Promise<Explanation> {
  const steps: Step[] = []
  const decide = createDecide({ ...deps, endpoints: () => visible(deps.endpoints(), deps.isVisible) })
  const exchange = exchangeOf(question, deps.now(), noteInto(steps, question.token))
  const decision = await decide(exchange)
  if (decision.type === 'forward') noteIntegration(exchange as Call)
  return { answer: answerOf(decision), steps }
}

function answerOf(decision: Decision): Explanation['answer'] {
  if (decision.type === 'forward') return null
  if (decision.type === 'preflight') return { status: 204, body: '' }
  return { status: decision.answer.status, body: decision.answer.body }
}

const visible = (endpoints: Endpoints, isVisible: ExplainDeps['isVisible']): Endpoints => ({
  at: (host) => {
    const locate = endpoints.at(host)
    if (locate === null) return null
    return (path) => {
      const located = locate(path)
      return located === null || isVisible(located.deployment) ? located : null
    }
  },
})

const absolute = /^https?:\/\/([^/?#@\s]+)(\/[^#]*|\?[^#]*)?(?:#.*)?$/i

function exchangeOf(question: Question, receivedAt: number, trace: Trace): Exchange {
  const [, host, rest = '/'] = absolute.exec(question.url) ?? []
  if (host === undefined) throw new Error('the URL must be absolute, as in https://api.example.com/pets?limit=1')
  const { method, token, headers = {} } = question
  const sent = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'host')
  const credentials = token === undefined ? [] : [['authorization', `Bearer ${token}`]]
  const all = [['host', host], ...credentials, ...sent] as [string, string][]
  for (const [name, value] of all) {
    http.validateHeaderName(name)
    http.validateHeaderValue(name, value)
  }
  const socket = new net.Socket()
  const request: Request = {
    method: method.toUpperCase(),
    url: rest.startsWith('?') ? `/${rest}` : rest,
    httpVersion: '1.1',
    rawHeaders: all.flat(),
    body: null,
    socket,
  }
  // Never written to.
  const response = new Response(socket, { method: request.method, version: '1.1', keepsAlive: false }, false, {
    now: () => receivedAt,
    keepAlive: '',
    onEnd: () => undefined,
  })
  return createExchange(request, response, { awaitsContinue: false, receivedAt, onEnd: () => undefined, trace })
}

// Once more, whatever the checks were careful not to note: a token may stand in a path, or not look like one.
function noteInto(steps: Step[], token: string | undefined): Trace {
  const clean = (text: string): string => {
    const known = token === undefined || token.length < 8 ? text : text.replaceAll(token, '[token]')
    return withoutToken(known)
  }
  return {
    note: (step) => {
      const { expected, actual } = step
      steps.push({
        ...step,
        check: clean(step.check),
        ...(expected === undefined ? {} : { expected: clean(expected) }),
        ...(actual === undefined ? {} : { actual: clean(actual) }),
      })
    },
  }
}

function noteIntegration({ deployment, route, path, request, trace }: Call): void {
  const { integrations, stage } = deployment.api
  const integration = integrations[route.integration]!
  const segments = route.method === null ? null : route.segments
  trace?.note({
    at: 'integration',
    check: integration.type,
    passed: null,
    actual: targetOf(integration, (uri) => {
      const upstream = compileUri(uri, segments, stage.variables)
      // Without the query: an integration's own may hold a key.
      return `${request.method} ${upstream.origin}${upstream.target(path).split('?')[0]}`
    }),
  })
}

function targetOf(integration: Integration, fill: (uri: string) => string): string {
  if (integration.type === 'AWS_PROXY') return integration.functionArn
  const mapped = Object.keys(integration.requestParameters).length > 0
  return `${fill(integration.uri)}${mapped ? ', before parameter mappings' : ''}`
}
