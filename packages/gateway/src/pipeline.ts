/**
 * Carries out what `decide.ts` decides of each request: answers it, or hands it to its integration. Whatever throws on
 * the way is answered 500 without being forwarded.
 */
import { answers } from './answers.ts'
import type { Decide, Decision } from './decide.ts'
import { answer, type Call, createExchange, type Exchange, finish } from './exchange.ts'
import type { Request } from './inbound/request.ts'
import type { Response } from './inbound/response.ts'

export interface PipelineDeps {
  readonly decide: Decide
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onEnd: (exchange: Exchange) => void
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export type Pipeline = (request: Request, response: Response, awaitsContinue: boolean) => Exchange

export function createPipeline(deps: PipelineDeps): Pipeline {
  const fail = (exchange: Exchange, error: unknown): void => {
    deps.onFault(exchange, error)
    answer(exchange, answers.failed)
    if (!exchange.isEnded) exchange.response.destroy()
  }

  const onEnd = (exchange: Exchange): void => {
    exchange.endedAt = deps.now()
    deps.onEnd(exchange)
  }

  return (request, response, awaitsContinue) => {
    const exchange = createExchange(request, response, { awaitsContinue, receivedAt: deps.now(), onEnd })
    try {
      const decision = deps.decide(exchange)
      if (!(decision instanceof Promise)) carryOut(exchange, decision)
      else decision.then((late) => carryOut(exchange, late)).catch((error: unknown) => fail(exchange, error))
    } catch (error) {
      fail(exchange, error)
    }
    return exchange
  }
}

function carryOut(exchange: Exchange, decision: Decision): void {
  // The client may have gone, or sent nonsense, while keys were fetched.
  if (exchange.isEnded || exchange.response.destroyed) return
  if (decision.type === 'refuse') answer(exchange, decision.answer, decision.fields)
  else if (decision.type === 'preflight') answerPreflight(exchange)
  else {
    const call = exchange as Call
    call.deployment.target(call.route).integration(call)
  }
}

// The gateway's own, also where a route leads somewhere: an integration is not asked. An authorizer is, when the route
// of the preflight has one, as AWS does for `ANY` and `$default`.
function answerPreflight(exchange: Exchange): void {
  exchange.response.writeHead(204, ['apigw-requestid', exchange.id, ...(exchange.cors ?? [])])
  exchange.response.end()
  finish(exchange, 204, 0)
}
