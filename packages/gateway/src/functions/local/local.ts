/**
 * Runs unmodified Node handlers in processes of their own. They are the operator's own code and are held to limits, not
 * locked in: a function may read files and open connections as this user may. What they never see is the gateway's
 * environment.
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { parseFunctionArn } from '../arn.ts'
import { FunctionFailed, type Functions, payloadLimits } from '../functions.ts'
import { type FunctionConfig, type LocalFunction, readConfiguration } from './configuration.ts'
import { startFunctionProcess } from './function-process.ts'
import { createPool } from './pool.ts'
import { watchFolder } from './watch-folder.ts'

export interface LocalFunctionsOptions {
  /**
   * By ARN or by name, both with or without alias. One that is called by its ARN is invoked by APIs of that account
   * alone, one by its name by all. An alias that is not configured runs the function itself: there are
   * no versions here.
   */
  readonly functions: Readonly<Record<string, LocalFunction>>
  /** Takes what functions log, with `function`, `process`, `requestId` (`awsRequestId`) and `id` (of the gateway's request). */
  readonly logger: Logger
  /** Of all functions together; 16 by default. */
  readonly maxProcesses?: number
  /** Invocations that may wait for a process; 1,000 by default. */
  readonly maxWaiting?: number
  /** How long a process without work is kept; 5 minutes by default. */
  readonly idleMs?: number
  /** Starts processes anew when a file of a function's folder changes. For development; off by default. */
  readonly watch?: boolean
}

export interface LocalFunctions extends Functions {
  /** Takes no more invocations, lets those under way finish, and ends all processes. */
  close(): Promise<void>
}

/** @throws Error naming the function that cannot be run, and why */
export function createLocalFunctions(options: LocalFunctionsOptions): LocalFunctions {
  const { logger, maxProcesses = 16, maxWaiting = 1_000, idleMs = 300_000 } = options
  const configs = new Map(
    Object.entries(options.functions).map(([key, given]) => [key, readConfiguration(key, given)] as const),
  )
  const pool = createPool({
    maxProcesses,
    maxWaiting,
    idleMs,
    start: (config, arn) => startFunctionProcess(config, arn, logger),
  })
  const watchers =
    options.watch === true
      ? [...configs.values()].map((config) =>
          watchFolder(config.directory, (file) => {
            logger.info({ function: config.name, file }, 'a function changed and is loaded anew')
            pool.retire(config)
          }),
        )
      : []

  const find = (arn: string, caller: string): FunctionConfig | undefined => {
    const parsed = parseFunctionArn(arn)
    if (parsed === null) return undefined
    const { accountId, name, qualifier } = parsed
    const plain = qualifier === null ? arn : arn.slice(0, -qualifier.length - 1)
    const key = [arn, `${name}:${qualifier}`, plain, name].find((each) => configs.has(each))
    if (key === undefined) return undefined
    if (key.startsWith('arn:') && accountId !== caller) {
      throw new FunctionFailed('unreachable', `${arn} belongs to the account ${accountId}, and the API to ${caller}`)
    }
    return configs.get(key)
  }

  return {
    invoke: async (arn, event, { accountId, callId, onRequestId, timeoutMs, traceId = '' }) => {
      const config = find(arn, accountId)
      if (config === undefined) throw new FunctionFailed('unknown', `there is no function ${arn} here`)
      const bytes = Buffer.byteLength(event)
      if (bytes > payloadLimits.event) {
        throw new FunctionFailed(
          'too_large',
          `the event has ${bytes} bytes; ${config.name} takes ${payloadLimits.event}`,
        )
      }
      const requestId = randomUUID()
      const onStart = (): void => onRequestId?.(requestId)
      return pool.run(config, { requestId, arn, event, traceId, callId }, { timeoutMs, onStart })
    },
    close: async () => {
      for (const stop of watchers) stop()
      await pool.close()
    },
  }
}
