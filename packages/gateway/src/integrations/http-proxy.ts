/**
 * HTTP proxy integrations: the hot path. A request's head is written to the upstream as one string, a small answer
 * leaves in one write, and a body is never held in memory beyond that.
 */
import { answers } from '../answers.ts'
import type { HttpProxyIntegration } from '../api.ts'
import { type Call, type Exchange, finish } from '../exchange.ts'
import { mapAnswer } from '../mapping/mapped-answer.ts'
import { isMapped, type MappedRequest, type RequestMapping } from '../mapping/request.ts'
import { compileResponseMappings } from '../mapping/response.ts'
import type { Surroundings } from '../mapping/values.ts'
import type { Deadlines } from './deadlines.ts'
import { forwardedLines } from './forwarded.ts'
import { type BodyStart, cappedBody, readStart } from './request-body.ts'
import { relayResponse } from './response.ts'
import type { UpstreamPool } from './upstream-pool.ts'
import { compileUri } from './uri.ts'

export interface HttpProxyDeps {
  /** The pool of connections to an origin. */
  readonly poolOf: (origin: string) => UpstreamPool
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export type CompiledIntegration = (call: Call) => void

/**
 * @param mapping of its requests; `null`: they pass as they are
 * @param deadlines as far away as its timeout
 * @throws Error saying what is wrong with the URI or a mapping of answers
 */
export function compileHttpProxy(
  config: HttpProxyIntegration,
  mapping: RequestMapping | null,
  deadlines: Deadlines,
  surroundings: Surroundings,
  deps: HttpProxyDeps,
): CompiledIntegration {
  const upstream = compileUri(config.uri, surroundings.segments, surroundings.stageVariables)
  const answerMappings = compileResponseMappings(config.responseParameters, surroundings)
  const pool = deps.poolOf(upstream.origin)
  const ownHost = new URL(upstream.origin).host

  const forward = (call: Call, mapped: MappedRequest | null, start: BodyStart | null): void => {
    const { head, path, request, response } = call
    const relay = relayResponse(call, deadlines, (error) => deps.onFault(call, error))
    const body = cappedBody(call, () => call.abandon(answers.bodyTooLarge), start)
    if (body !== null && start === null && call.awaitsContinue) response.writeContinue()
    const method = config.method === 'ANY' ? request.method : config.method
    const target = mapped === null ? upstream.target(path) : upstream.mappedTarget(path, mapped)
    const hostLine = ` HTTP/1.1\r\nhost: ${mapped?.host ?? ownHost}\r\n`
    const lines = mapped === null ? headerLines(head.fields, head.connectionNames) : headerLines(mapped.fields, [])
    // Removal before addition: `Connection: x-forwarded-for` must not remove what the gateway adds.
    const ownLines = forwardedLines(request.socket, head.host)
    // A method that means to send something says how much, also when it is nothing (RFC 9110 §8.6).
    const emptyLine = body === null && sendsBody.has(method) ? 'content-length: 0\r\n' : ''
    relay.ticket = pool.send(
      {
        method,
        head: `${method} ${target}${hostLine}${lines}${ownLines}${emptyLine}`,
        body,
        bodyLength: head.isChunked ? -1 : head.contentLength,
      },
      answerMappings === null ? relay : mapAnswer(relay, call, answerMappings),
    )
  }

  if (mapping === null) return (call) => forward(call, null, null)
  const mapAndForward = (call: Call, start: BodyStart | null): void => {
    const mapped = mapping.apply(call, start?.bytes ?? null, start?.isWhole ?? true)
    if (isMapped(mapped)) forward(call, mapped, start)
    else call.abandon(mapped)
  }
  if (mapping.bodyBytes === 0) return (call) => mapAndForward(call, null)
  return (call) => {
    const { request, response } = call
    if (request.body === null) return mapAndForward(call, null)
    if (call.awaitsContinue) response.writeContinue()
    const onRead = (start: BodyStart): void => {
      // Refused meanwhile, because the rest of the body was nonsense or too slow.
      if (call.isEnded || response.destroyed) return
      try {
        mapAndForward(call, start)
      } catch (error) {
        deps.onFault(call, error)
        call.abandon(answers.failed)
      }
    }
    readStart(request.body.stream, mapping.bodyBytes, onRead, () => finish(call, 499, 0))
  }
}

const sendsBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

// Names and values come from our parser, which lets no CR, LF or NUL into either, or from a mapping that does not.
function headerLines(fields: readonly string[], connectionNames: readonly string[]): string {
  let lines = ''
  for (let i = 0; i < fields.length; i += 2) {
    if (connectionNames.length > 0 && connectionNames.includes(fields[i]!)) continue
    lines += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  return lines
}
