/**
 * Invokes functions that run elsewhere: on AWS, or on any service that speaks Lambda's Invoke operation. A request is
 * sent once: a function that may have run is not run again.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Egress, OutboundAnswer } from '@tenantry/kernel/http/egress.ts'
import { type FunctionArn, parseFunctionArn } from '../arn.ts'
import { FunctionFailed, type FunctionFault, type Functions, payloadLimits } from '../functions.ts'
import { type AwsCredentials, createSign } from './signature.ts'

export interface RemoteFunctionsOptions {
  /** URL of a Lambda-compatible service. By default AWS's own, in the region of each function. */
  readonly endpoint?: string
  /** May invoke the functions (`lambda:InvokeFunction`). Asked for at each invocation when it is a function. */
  readonly credentials: AwsCredentials | (() => Promise<AwsCredentials>)
  /** Calls the service. One that keeps connections saves a handshake each; a service that is not public is allowed here. */
  readonly egress: Egress
  readonly clock: Clock
}

/** @throws Error when the endpoint is no http or https URL */
export function createRemoteFunctions({ clock, credentials, egress, endpoint }: RemoteFunctionsOptions): Functions {
  const base = endpoint === undefined ? null : readEndpoint(endpoint)
  const sign = createSign(credentials)

  const send = async (arn: FunctionArn, text: string, event: string, traceId: string, timeoutMs: number) => {
    const url = new URL(`${base ?? regionalEndpoint(arn)}/2015-03-31/functions/${encodeURIComponent(text)}/invocations`)
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'x-amz-invocation-type': 'RequestResponse',
      ...(traceId === '' ? {} : { 'x-amzn-trace-id': traceId }),
    }
    const signed = await sign({ url, headers, body: event }, arn.region, clock.now())
    return egress.request(url.href, {
      method: 'POST',
      headers: signed,
      body: Buffer.from(event),
      timeoutMs,
      // One more than may be: what reaches it is not whole.
      maxAnswerBytes: payloadLimits.result + 1,
    })
  }

  return {
    invoke: async (text, event, { onRequestId, timeoutMs, traceId = '' }) => {
      const arn = parseFunctionArn(text)
      if (arn === null) throw new FunctionFailed('unknown', `"${text}" is no ARN of a function`)
      const bytes = Buffer.byteLength(event)
      if (bytes > payloadLimits.event) {
        throw new FunctionFailed('too_large', `the event has ${bytes} bytes; ${arn.name} takes ${payloadLimits.event}`)
      }
      const answer = await inTime(send(arn, text, event, traceId, timeoutMs), text, timeoutMs)
      const requestId = answer.headers['x-amzn-requestid']
      if (typeof requestId === 'string') onRequestId?.(requestId)
      return readAnswer(answer, text)
    },
  }
}

/** Counts finding the address and renewing credentials too, which a time limit of the call does not. */
function inTime(answer: Promise<OutboundAnswer>, arn: string, timeoutMs: number): Promise<OutboundAnswer> {
  const startedAt = performance.now()
  const late = (): FunctionFailed => new FunctionFailed('timeout', `${arn} gave no result within ${timeoutMs} ms`)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), timeoutMs)
    answer
      .then(resolve, (cause: unknown) => {
        const isLate = performance.now() - startedAt >= timeoutMs
        const why = cause instanceof Error ? cause.message : String(cause)
        reject(isLate ? late() : new FunctionFailed('unreachable', `${arn} could not be invoked: ${why}`, { cause }))
      })
      .finally(() => clearTimeout(timer))
  })
}

function readAnswer({ body, headers, status }: OutboundAnswer, arn: string): string {
  const text = body.toString('utf8')
  const failure = headers['x-amz-function-error']
  if (status === 200 && failure === undefined) {
    if (body.length <= payloadLimits.result) return text
    throw new FunctionFailed('threw', `${arn} returned more than ${payloadLimits.result} bytes`)
  }
  const told = readError(text)
  if (status === 200) {
    const reason = told.errorType === 'Runtime.ExitError' ? 'crashed' : 'threw'
    throw new FunctionFailed(
      reason,
      `${arn} failed (${failure}): ${told.errorType ?? ''} ${told.errorMessage ?? text}`.slice(0, longest),
    )
  }
  // The header may carry a namespace behind the name.
  const type = String(headers['x-amzn-errortype'] ?? told.Type ?? status).split(':', 1)[0]!
  const message = told.Message ?? told.message ?? text
  throw new FunctionFailed(
    faults[status] ?? 'unreachable',
    `${arn} was not invoked: ${type}: ${message}`.slice(0, longest),
  )
}

const longest = 4_000

const faults: Readonly<Record<number, FunctionFault>> = { 404: 'unknown', 413: 'too_large' }

function readError(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function readEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  if (!isUsable)
    throw new Error(`"${endpoint}" is no endpoint of functions: it must be an http or https URL without query`)
  return url.href.replace(/\/$/, '')
}

const domains: Readonly<Record<string, string>> = {
  aws: 'amazonaws.com',
  'aws-us-gov': 'amazonaws.com',
  'aws-cn': 'amazonaws.com.cn',
}

function regionalEndpoint({ partition, region }: FunctionArn): string {
  const domain = domains[partition]
  if (domain !== undefined) return `https://lambda.${region}.${domain}`
  throw new Error(`where functions of the partition "${partition}" are called is not known here: configure an endpoint`)
}
