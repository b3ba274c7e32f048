/** Fixture of the gateway's tests: functions that run in this process, behind the port that real runners implement. */
import { setTimeout as wait } from 'node:timers/promises'
import { FunctionFailed, type Functions } from './functions/functions.ts'

// biome-ignore lint/suspicious/noExplicitAny: a handler takes whatever event its test expects
export type Handler = (event: any) => unknown

export interface TestFunctions extends Functions {
  /** By ARN; a test adds, replaces and removes them. */
  readonly handlers: Map<string, Handler>
  readonly invocations: { readonly arn: string; readonly event: Record<string, unknown>; readonly timeoutMs: number }[]
}

export function createTestFunctions(): TestFunctions {
  const handlers = new Map<string, Handler>()
  const invocations: TestFunctions['invocations'] = []
  return {
    handlers,
    invocations,
    invoke: async (arn, text, { timeoutMs }) => {
      const handler = handlers.get(arn)
      if (handler === undefined) throw new FunctionFailed('unknown', `there is no function ${arn}`)
      const event = JSON.parse(text)
      invocations.push({ arn, event, timeoutMs })
      const end = new AbortController()
      try {
        const late = wait(timeoutMs, null, { signal: end.signal }).then(() => {
          throw new FunctionFailed('timeout', `${arn} took longer than ${timeoutMs} ms`)
        })
        const result = await Promise.race([run(handler, event), late])
        return JSON.stringify(result ?? null)
      } finally {
        end.abort()
      }
    },
  }
}

async function run(handler: Handler, event: unknown): Promise<unknown> {
  try {
    return await handler(event)
  } catch (cause) {
    throw new FunctionFailed('threw', `the function threw: ${cause}`, { cause })
  }
}
