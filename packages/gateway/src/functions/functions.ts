/**
 * What the gateway asks of whoever runs functions: a pool of processes here (`local/`), or a Lambda-compatible service
 * elsewhere (`remote/`). The faults are those of Lambda's Invoke operation, so both mean the same by them.
 */
export interface Functions {
  /**
   * Invokes a function and waits for its result.
   *
   * @param arn of the function, with or without alias; stage variables are resolved
   * @param event as JSON text
   * @returns what it returned, as JSON text; `undefined` returned is `null`
   * @throws FunctionFailed
   */
  invoke(arn: string, event: string, options: InvokeOptions): Promise<string>
}

export interface InvokeOptions {
  /** Of the API that invokes. */
  readonly accountId: string
  /**
   * How long the caller waits. A function that takes longer is left running within its own limit, as Lambda does; its
   * result is dropped.
   */
  readonly timeoutMs: number
  /** Id of the gateway's request, for the function's log lines. */
  readonly callId?: string
  /** Value of `x-amzn-trace-id`; becomes `_X_AMZN_TRACE_ID` of the invocation. */
  readonly traceId?: string
  /** Told once, before the promise settles: the invocation's own id (`awsRequestId`), when it has got one. */
  readonly onRequestId?: (requestId: string) => void
}

/**
 *   unknown       no such function or alias
 *   threw         it ran and failed: threw, could not be loaded, took longer than its own limit, returned too much
 *   timeout       no result within the caller's `timeoutMs`
 *   crashed       its process ended: it exited, ran out of memory, or raised outside of an invocation
 *   too_large     the event is larger than a function may be given
 *   unreachable   it could not be asked: nobody answers, permission is missing, too many wait already
 */
export type FunctionFault = 'unknown' | 'threw' | 'timeout' | 'crashed' | 'too_large' | 'unreachable'

/** Why there is no result. The message is for logs, never for the client. */
export class FunctionFailed extends Error {
  readonly reason: FunctionFault

  constructor(reason: FunctionFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FunctionFailed'
    this.reason = reason
  }
}

/** Lambda's own limits of what goes into a synchronous invocation and what comes out, in bytes. */
export const payloadLimits = { event: 6 * 1024 * 1024, result: 6 * 1024 * 1024 + 100 } as const
