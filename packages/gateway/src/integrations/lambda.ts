/**
 * Lambda proxy integrations: the whole request becomes one event, the function's result becomes the answer. Why there
 * is no proper result is told to logs only; the client learns what AWS tells it.
 */
import { type Answer, answers } from '../answers.ts'
import type { LambdaIntegration } from '../api.ts'
import { answer, type Call, type Exchange, finish } from '../exchange.ts'
import { resolveFunctionArn } from '../functions/arn.ts'
import { FunctionFailed, type FunctionFault, type Functions } from '../functions/functions.ts'
import { isMapped, type RequestMapping } from '../mapping/request.ts'
import { compileResponseMappings, isBodyless } from '../mapping/response.ts'
import type { Surroundings } from '../mapping/values.ts'
import { readAnswer } from '../payload/answer.ts'
import { writeEvent } from '../payload/event.ts'
import { traceIdOf } from '../payload/trace-id.ts'
import type { CompiledIntegration } from './http-proxy.ts'
import { collectBody } from './request-body.ts'
import type { ResponseHead } from './response-head.ts'

export interface LambdaDeps {
  /** Absent: APIs that need functions are refused. */
  readonly functions?: Functions | undefined
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

interface Reply {
  readonly head: ResponseHead
  readonly body: Buffer
}

/**
 * @param mapping of its requests; `null`: they pass as they are
 * @throws Error saying why it cannot be executed
 */
export function compileLambda(
  config: LambdaIntegration,
  mapping: RequestMapping | null,
  surroundings: Surroundings,
  { functions, onFault }: LambdaDeps,
): CompiledIntegration {
  const { payloadFormatVersion: format, timeoutMs } = config
  const arn = resolveFunctionArn(config.functionArn, surroundings.stageVariables)
  if (functions === undefined) throw new Error(`nothing runs functions here, and "${arn}" is one: configure functions`)
  const refusal = unsupported(config)
  if (refusal !== null) throw new Error(`the integration of "${arn}" cannot be executed: ${refusal}`)
  const answerMappings = compileResponseMappings(config.responseParameters, surroundings)

  const invoke = async (call: Call, event: string, traceId: string): Promise<Reply> => {
    const { integration } = call
    integration.startedAt = performance.now()
    try {
      const result = await functions.invoke(arn, event, {
        timeoutMs,
        accountId: call.deployment.api.accountId,
        callId: call.id,
        traceId,
        onRequestId: (id) => {
          integration.requestId = id
        },
      })
      integration.serviceStatus = 200
      const { status, fields, corsFields, body } = readAnswer(format, result)
      integration.status = status
      return { head: headOf(call, status, fields, corsFields, body.length), body }
    } catch (error) {
      if (error instanceof FunctionFailed) integration.serviceStatus = serviceStatus[error.reason]
      integration.error = error instanceof Error ? error.message : String(error)
      throw error
    } finally {
      integration.latency = Math.round(performance.now() - integration.startedAt)
    }
  }

  const run = async (call: Call, body: Buffer | null): Promise<void> => {
    try {
      const mapped = mapping === null ? call : mapCall(call, body, mapping)
      if (!isCall(mapped)) return answer(call, mapped)
      const traceId = traceIdOf(call)
      const { head, body: sent } = await invoke(call, writeEvent(format, mapped, body, traceId), traceId)
      const answerMapping = answerMappings?.get(head.status)
      send(
        call,
        answerMapping === undefined
          ? head
          : answerMapping.apply(call, head, sent, sent.length <= answerMapping.bodyBytes),
        sent,
      )
    } catch (error) {
      onFault(call, error)
      answer(call, answerTo(error))
    }
  }

  return (call) => {
    // Logged as it is commonly written, never sent. The function runs on: nobody can tell how far it came.
    call.response.onGone = () => finish(call, call.status || 499, call.bytes)
    collectBody(
      call,
      (body) => void run(call, body),
      () => call.abandon(answers.bodyTooLarge),
    )
  }
}

// What Lambda's Invoke operation answers in each case: a function that fails was invoked all the same.
const serviceStatus: Readonly<Record<FunctionFault, number>> = {
  unknown: 404,
  threw: 200,
  timeout: 0,
  crashed: 200,
  too_large: 413,
  unreachable: 0,
}

function answerTo(error: unknown): Answer {
  const reason = error instanceof FunctionFailed ? error.reason : null
  if (reason === 'timeout') return answers.integrationTooSlow
  return reason === 'too_large' ? answers.eventTooLarge : answers.failed
}

function headOf(
  { id }: Call,
  status: number,
  fields: readonly string[],
  corsFields: readonly string[],
  length: number,
): ResponseHead {
  return {
    status,
    fields: ['apigw-requestid', id, ...fields],
    corsFields,
    length,
    // Of a connection that there is none of.
    isChunked: false,
    keepsAlive: true,
    keepAlive: null,
    requestId: '',
    requestId2: '',
  }
}

/** The call as the function is to see it, or the refusal of one that cannot be mapped. */
function mapCall(call: Call, body: Buffer | null, mapping: RequestMapping): Call | Answer {
  const mapped = mapping.apply(call, body, (body?.length ?? 0) <= mapping.bodyBytes)
  if (!isMapped(mapped)) return mapped
  const { fields, query } = mapped
  return { ...call, head: { ...call.head, fields, connectionNames: [] }, path: { ...call.path, query } }
}

const isCall = (mapped: Call | Answer): mapped is Call => 'head' in mapped

function send(call: Call, { status, fields, corsFields }: ResponseHead, body: Buffer): void {
  const { request, response } = call
  // The client may have gone, or sent nonsense behind its request.
  if (call.isEnded || response.headersSent || response.destroyed) return
  const sent = isBodyless(status) ? Buffer.alloc(0) : body
  const lengthFields = isBodyless(status) ? [] : ['content-length', String(body.length)]
  response.writeHead(status, [...fields, ...(call.cors ?? corsFields), ...lengthFields])
  response.end(sent)
  finish(call, status, request.method === 'HEAD' ? 0 : sent.length)
}

function unsupported({ credentialsArn, requestParameters }: LambdaIntegration): string | null {
  if (credentialsArn !== null) return `the role "${credentialsArn}" cannot be assumed; remove the credentials`
  const odd = Object.keys(requestParameters).find((key) => /^overwrite:(path|header\.host)$/i.test(key))
  return odd === undefined ? null : `"${odd}" means nothing to a function, which has neither host nor path`
}
