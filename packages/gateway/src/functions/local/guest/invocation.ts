import process, { env } from 'node:process'
import { payloadLimits } from '../../functions.ts'
import type { ToFunction } from '../frames.ts'
import type { Handler } from './load.ts'

export interface Outcomes {
  /** Keeps the process from ending for want of something to do. */
  readonly hold: () => void
  readonly release: () => void
  /** @param text as JSON */
  readonly result: (text: string) => void
  readonly error: (error: unknown) => void
}

/**
 * Invokes in both of Lambda's styles. An `async` handler has answered when its promise has. One that takes a callback
 * has answered when it called it and, unless `callbackWaitsForEmptyEventLoop` is false, nothing is left to wait for; a
 * handler that does neither has answered nothing when nothing is left.
 */
export function createInvoker(handler: Handler, outcomes: Outcomes): (invoke: ToFunction, event: string) => void {
  let current: Invocation | null = null
  process.on('beforeExit', () => current?.onIdle())
  return (invoke, event) => {
    outcomes.release()
    const invocation = startInvocation(handler, invoke, event, {
      ...outcomes,
      settled: () => {
        if (current === invocation) current = null
        outcomes.hold()
      },
    })
    current = invocation
    invocation.run()
  }
}

interface Invocation {
  run(): void
  /** The event loop is empty. */
  onIdle(): void
}

type Settle = Pick<Outcomes, 'result' | 'error'> & { readonly settled: () => void }

function startInvocation(handler: Handler, invoke: ToFunction, event: string, outcomes: Settle): Invocation {
  const startedAt = performance.now()
  let isSettled = false
  let called: (() => void) | null = null

  const settle = (tell: () => void): void => {
    if (isSettled) return
    isSettled = true
    outcomes.settled()
    tell()
  }
  const fail = (error: unknown): void =>
    settle(() => outcomes.error(error ?? new Error('the handler failed without a reason')))
  const succeed = (value: unknown): void => {
    try {
      const text = JSON.stringify(value ?? null)
      if (text === undefined) throw new TypeError(`a ${typeof value} cannot be written as JSON`)
      const bytes = Buffer.byteLength(text)
      if (bytes > payloadLimits.result) {
        throw new RangeError(
          `the result has ${bytes} bytes, and ${payloadLimits.result} is the most that a function may return`,
        )
      }
      settle(() => outcomes.result(text))
    } catch (error) {
      fail(error)
    }
  }
  const callback = (error?: unknown, value?: unknown): void => {
    if (called !== null) return
    called = error === undefined || error === null ? () => succeed(value) : () => fail(error)
    if (!context.callbackWaitsForEmptyEventLoop) called()
  }
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: invoke.arn,
    awsRequestId: invoke.requestId,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(invoke.remainingMs - (performance.now() - startedAt))),
    done: callback,
    succeed: (value: unknown) => callback(null, value),
    fail: (error: unknown) => callback(error ?? new Error('the handler failed without a reason')),
  }

  return {
    run: () => {
      if (invoke.traceId !== '') env._X_AMZN_TRACE_ID = invoke.traceId
      else delete env._X_AMZN_TRACE_ID
      try {
        const returned = handler(JSON.parse(event), context, callback)
        if (isThenable(returned)) returned.then(succeed, fail)
      } catch (error) {
        fail(error)
      }
    },
    onIdle: () => (called ?? (() => succeed(null)))(),
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
