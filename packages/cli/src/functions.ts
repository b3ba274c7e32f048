/** The functions that APIs of the control plane may invoke: those of a file, in processes here, and all others elsewhere. */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { FunctionFailed, type Functions } from '@tenantry/gateway/functions/functions.ts'
import type { LocalFunction } from '@tenantry/gateway/functions/local/configuration.ts'
import { splitHandler } from '@tenantry/gateway/functions/local/handler.ts'
import { createLocalFunctions } from '@tenantry/gateway/functions/local/local.ts'
import { createRemoteFunctions } from '@tenantry/gateway/functions/remote/remote.ts'
import type { Clock } from '@tenantry/kernel/clock.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { definitions, problems, type Settings } from './settings.ts'

/** A function in the file. The remaining members are the runner's own, which checks their values. */
interface FunctionEntry extends Pick<LocalFunction, 'environment' | 'memoryMb' | 'timeoutMs'> {
  /** Its folder, relative to the file; what changes there is loaded anew. */
  readonly directory: string
  /** `module.export`, as Lambda's `Handler`. */
  readonly handler: string
}
const members: readonly string[] = ['directory', 'handler', 'environment', 'memoryMb', 'timeoutMs']

export interface OpenFunctions {
  /** `undefined`: none are configured, and an API that needs one is refused. */
  readonly functions: Functions | undefined
  close(): Promise<void>
}

/** @throws Problem `invalid_setting` */
export function openFunctions(settings: Settings, deps: { clock: Clock; logger: Logger }): OpenFunctions {
  const { gatewayFunctions: file, lambda } = settings
  const local = file === undefined ? null : openLocal(file, deps.logger)
  const remote =
    lambda === undefined
      ? null
      : createRemoteFunctions({
          ...(lambda.endpoint === undefined ? {} : { endpoint: lambda.endpoint }),
          credentials: lambda.credentials,
          // The operator named it: it may be on this machine or in this network.
          egress: createEgress({ allow: lambda.endpoint === undefined ? [] : ['0.0.0.0/0', '::/0'] }),
          clock: deps.clock,
        })
  return {
    functions: local !== null && remote !== null ? firstOf(local, remote) : (local ?? remote ?? undefined),
    close: async () => local?.close(),
  }
}

const firstOf = (local: Functions, remote: Functions): Functions => ({
  invoke: (arn, event, options) =>
    local.invoke(arn, event, options).catch((error: unknown) => {
      if (error instanceof FunctionFailed && error.reason === 'unknown') return remote.invoke(arn, event, options)
      throw error
    }),
})

function openLocal(file: string, logger: Logger) {
  try {
    return createLocalFunctions({ functions: readFunctions(file), logger, watch: true })
  } catch (cause) {
    const { variable } = definitions.gatewayFunctions
    throw problems.invalid_setting({ facts: { variable, value: file, reason: (cause as Error).message }, cause })
  }
}

function readFunctions(file: string): Record<string, LocalFunction> {
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (!isObject(content)) throw new Error('it must hold an object, with a member for each function')
  return Object.fromEntries(
    Object.entries(content).map(([name, entry]) => {
      const { directory, handler, ...others } = checkEntry(name, entry)
      const folder = resolve(dirname(file), directory)
      const split = splitHandler(handler)
      if (split === null) throw new Error(`"${name}.handler" must be written "module.export"`)
      const at = { handlerFile: join(folder, split.module), handlerName: split.exported }
      return [name, { ...at, ...others, directory: folder }]
    }),
  )
}

function checkEntry(name: string, entry: unknown): FunctionEntry {
  if (!isObject(entry)) throw new Error(`"${name}" must be an object`)
  const unknown = Object.keys(entry).find((member) => !members.includes(member))
  if (unknown !== undefined) throw new Error(`"${name}.${unknown}" is not known; known are ${members.join(', ')}`)
  const { directory, handler, environment = {} } = entry
  if (typeof directory !== 'string' || directory === '') throw new Error(`"${name}.directory" must name a folder`)
  if (typeof handler !== 'string') throw new Error(`"${name}.handler" must be a text`)
  if (!isObject(environment) || Object.values(environment).some((value) => typeof value !== 'string')) {
    throw new Error(`"${name}.environment" must hold texts`)
  }
  return entry as unknown as FunctionEntry
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
