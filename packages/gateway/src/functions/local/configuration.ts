import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { parseFunctionArn } from '../arn.ts'

/** A function to run, as whoever configures it says it. */
export interface LocalFunction {
  /** Path of its module. The ending may be left out, as in Lambda's `Handler`. */
  readonly handlerFile: string
  /** Name of the export, `handler` most of the time; `a.b` is a member of an export. */
  readonly handlerName: string
  /** Its folder: where it runs, and what is watched. By default that of the module. */
  readonly directory?: string
  /** The function sees these variables and those that Lambda sets, and none of the gateway's own. */
  readonly environment?: Readonly<Record<string, string>>
  /** 128 to 10,240; 128 by default. */
  readonly memoryMb?: number
  /** Of one invocation, 1 to 900,000; 3,000 by default. */
  readonly timeoutMs?: number
}

/** The same, checked and complete. */
export interface FunctionConfig {
  readonly name: string
  readonly file: string
  readonly handlerName: string
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly memoryMb: number
  readonly timeoutMs: number
}

const endings = ['', '.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']

/** @throws Error naming the function and what is wrong */
export function readConfiguration(key: string, given: LocalFunction): FunctionConfig {
  const { handlerName, memoryMb = 128, timeoutMs = 3_000, environment = {} } = given
  const refuse = (reason: string): never => {
    throw new Error(`the function "${key}" cannot be run: ${reason}`)
  }
  const name = nameOf(key) ?? refuse('its name must be the ARN or the name of a function')
  const base = path.resolve(given.handlerFile)
  const file = endings
    .map((ending) => base + ending)
    .find((candidate) => existsSync(candidate) && statSync(candidate).isFile())
  if (file === undefined) return refuse(`there is no module ${base}`)
  if (handlerName === '') refuse('the name of its handler is empty')
  if (!isWhole(memoryMb, 128, 10_240)) refuse(`memoryMb must be a whole number from 128 to 10,240, not ${memoryMb}`)
  if (!isWhole(timeoutMs, 1, 900_000)) refuse(`timeoutMs must be a whole number from 1 to 900,000, not ${timeoutMs}`)
  const reserved = Object.keys(environment).find((variable) => isReserved(variable))
  if (reserved !== undefined) refuse(`the variable ${reserved} is set by the runtime`)
  const directory = path.resolve(given.directory ?? path.dirname(file))
  if (!file.startsWith(directory + path.sep)) refuse(`its module ${file} is not in its folder ${directory}`)
  return { name, file, handlerName, directory, environment, memoryMb, timeoutMs }
}

function nameOf(key: string): string | null {
  const arn = parseFunctionArn(key)
  return arn?.name ?? (/^[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?$/.test(key) ? key.split(':', 1)[0]! : null)
}

const isWhole = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max

// Node's own would loosen the limits that a process is started with. Credentials for AWS may be given, unlike on Lambda:
// there is no role here to take them from.
const isReserved = (variable: string): boolean =>
  /^(AWS_LAMBDA_.*|LAMBDA_.*|_HANDLER|_X_AMZN_TRACE_ID|AWS_EXECUTION_ENV|NODE_OPTIONS|NODE_CHANNEL_FD|LD_PRELOAD)$/.test(
    variable,
  )
