/**
 * What becomes of a request, decided in order: head, connection, host, path, route, limits, authorizer, limits of the
 * tenant. The integration is reached only by falling through every check before it. Nothing is answered here, so that
 * the same decision can be explained as well as carried out.
 */
import { type Answer, answers } from './answers.ts'
import { limits, methods } from './api.ts'
import { isRefusal, type Verdict } from './authorizers/authorizer.ts'
import { type Call, type Exchange, nobody } from './exchange.ts'
import { readHead } from './head.ts'
import type { Endpoints } from './routing/endpoints.ts'
import { canonicalPath } from './routing/path.ts'
import { shown } from './trace.ts'

export interface DecideDeps {
  /** Those of this moment: a request keeps what it found. */
  readonly endpoints: () => Endpoints
  /** Why its connection may not carry a request to the host it names; `null`: it may. */
  readonly admit: (exchange: Exchange) => Answer | null
}

export type Decision =
  | { readonly type: 'refuse'; readonly answer: Answer; readonly fields: readonly string[] }
  /** Answered 204 by the gateway itself. */
  | { readonly type: 'preflight' }
  /** The exchange is a whole `Call` now. */
  | { readonly type: 'forward' }

/** A promise where an authorizer has to ask somebody. */
export type Decide = (exchange: Exchange) => Decision | Promise<Decision>

const refuse = (answer: Answer, fields: readonly string[] = []): Decision => ({ type: 'refuse', answer, fields })
const preflight: Decision = { type: 'preflight' }
const forward: Decision = { type: 'forward' }

export function createDecide(deps: DecideDeps): Decide {
  const settle = (call: Call, verdict: Verdict): Decision => {
    if (isRefusal(verdict)) {
      call.authorizerError = verdict.error
      return refuse(verdict.answer, verdict.challenge === null ? [] : ['www-authenticate', verdict.challenge])
    }
    call.caller = verdict
    if (call.isPreflight) return preflight
    const excess = call.deployment.throttle?.refuses(call) ?? null
    return excess === null ? forward : refuse(answers.throttled, excess)
  }

  const authorize = (call: Call): Decision | Promise<Decision> => {
    const { authorizer } = call.deployment.target(call.route)
    const { authorization } = call.route
    call.trace?.note({
      at: 'authorizer',
      check: authorization.type === 'NONE' ? 'the route is open' : `${authorization.type} ${authorization.authorizer}`,
      passed: null,
    })
    // `null` means that the definition declares this route open; a missing authorizer never compiles.
    const verdict = authorizer === null ? nobody : authorizer.authorize(call)
    return verdict instanceof Promise ? verdict.then((late) => settle(call, late)) : settle(call, verdict)
  }

  return (exchange) => {
    const { trace } = exchange
    const { httpVersion, method, rawHeaders, url } = exchange.request
    const head = readHead(rawHeaders, method.length + url.length + requestLineRest)
    if (typeof head === 'string') {
      trace?.note({ at: 'request', check: 'the head can be read', passed: false, actual: head })
      return refuse(answers[head])
    }
    exchange.head = head
    // The heads of HTTP/0.9 and 2.0 look like those of 1.1. RFC 9112 §6.1: codings in 1.0 are faulty framing.
    if (httpVersion !== '1.1' && (httpVersion !== '1.0' || head.isChunked)) return refuse(answers.smuggled)
    const refusal = deps.admit(exchange)
    if (refusal !== null) {
      trace?.note({ at: 'host', check: 'the connection may carry it', passed: false, actual: head.host })
      return refuse(refusal)
    }
    const locate = deps.endpoints().at(head.host)
    if (locate === null) trace?.note({ at: 'host', check: 'an API answers', passed: false, actual: head.host })
    if (locate === null) return refuse(answers.noApi)
    const whole = canonicalPath(url)
    trace?.note({
      at: 'path',
      check: 'the path has one reading',
      passed: whole !== null,
      expected: 'no dot or empty segments, encoded slashes, ";" or double encoding',
      actual: whole?.path ?? shown(url.split('?')[0]),
    })
    if (whole === null) return refuse(answers.malformed)
    const located = locate(whole)
    trace?.note({
      at: 'host',
      check: 'an API answers',
      passed: located !== null,
      actual: `${head.host} → ${located === null ? 'nothing at this path' : where(located)}`,
    })
    if (located === null) return refuse(answers.noApi)
    const { deployment, path } = located
    exchange.deployment = deployment
    exchange.path = path
    exchange.basePath = located.basePath
    exchange.isMapped = located.isMapped
    const { cors, router } = deployment
    if (cors !== null) {
      const { origin, preflightMethod } = head
      exchange.isPreflight = method === 'OPTIONS' && origin !== null && preflightMethod !== null
      exchange.cors = origin === null ? [] : exchange.isPreflight ? cors.preflight(origin) : cors.answer(origin)
    }
    const route = known.has(method) ? router.find(method, path) : null
    trace?.note({
      at: 'route',
      check: `${method} ${path.path}`,
      passed: route !== null,
      actual: route?.key ?? 'none',
      expected: `one of those whose path fits: ${
        router
          .near(path)
          .map(({ key }) => key)
          .join(', ') || 'there is none'
      }`,
    })
    if (route === null) return exchange.isPreflight ? preflight : refuse(answers.noRoute)
    exchange.route = route
    if (head.contentLength > limits.bodyBytes) return refuse(answers.bodyTooLarge)
    const call = exchange as Call
    if (deployment.throttle?.admits(call) === false) return refuse(answers.throttled)
    return authorize(call)
  }
}

const where = ({ deployment, basePath }: { deployment: Call['deployment']; basePath: string }): string =>
  `API ${deployment.api.id}, stage ${deployment.api.stage.name}${basePath === '' ? '' : `, base path ${basePath}`}`

// `ANY` stands for these and not for whatever else HTTP knows, TRACE among it.
const known: ReadonlySet<string> = new Set(methods)

// Two spaces and `HTTP/1.1`.
const requestLineRest = 10
