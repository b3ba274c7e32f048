import { formatWithOptions } from 'node:util'
import type { LogLevel } from '../frames.ts'

/** Lambda's limit of one log event. */
const longest = 256 * 1024

const levels = {
  trace: 'trace',
  debug: 'debug',
  log: 'info',
  info: 'info',
  warn: 'warn',
  error: 'error',
} as const satisfies Record<string, LogLevel>

/**
 * Sends what the function logs over the pipe: in order with its results, each message in one piece however many lines
 * it has. What is written to the standard streams directly comes by those.
 */
export function captureConsole(log: (level: LogLevel, text: string) => void): void {
  for (const [name, level] of Object.entries(levels)) {
    console[name as keyof typeof levels] = (...values: unknown[]) =>
      log(level, formatWithOptions({ colors: false }, ...values).slice(0, longest))
  }
}
