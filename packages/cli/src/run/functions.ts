import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { FunctionSource } from '@tenantry/gateway/definition/cloudformation/functions.ts'
import type { LocalFunction } from '@tenantry/gateway/functions/local/configuration.ts'
import { splitHandler } from '@tenantry/gateway/functions/local/handler.ts'

/** Values for a function's variables, by logical id or name; those under `Parameters` are for all of them. */
export type EnvironmentFile = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface Runnable {
  readonly functions: Readonly<Record<string, LocalFunction>>
  /** By ARN, why a function of the template cannot be run here. */
  readonly refused: ReadonlyMap<string, string>
}

/**
 * The functions of a template, as they are run on this machine: from the folders that it names, with its own memory,
 * time and variables.
 *
 * @param file the template; the folders are relative to it
 */
export function runnableFunctions(
  sources: readonly FunctionSource[],
  file: string,
  environments: EnvironmentFile = {},
): Runnable {
  const functions: Record<string, LocalFunction> = {}
  const refused = new Map<string, string>()
  for (const source of sources) {
    const local = localFunction(source, dirname(resolve(file)), environments)
    if (typeof local === 'string') refused.set(source.arn, local)
    else functions[source.arn] = local
  }
  return { functions, refused }
}

function localFunction(source: FunctionSource, folder: string, all: EnvironmentFile): LocalFunction | string {
  const { code, handler, runtime, memoryMb, timeoutSeconds } = source
  if (code.kind === 'remote') return `its code is at ${code.location}, not on this machine`
  if (code.kind === 'inline') return 'its code stands in the template; put it into a file and name its folder'
  if (handler === null) return 'it is a container image, and handlers of Node.js are what is run here'
  if (runtime !== null && !runtime.startsWith('nodejs'))
    return `its runtime is ${runtime}, and Node.js is what is run here`
  const split = splitHandler(handler)
  if (split === null) return `its handler "${handler}" must be written "module.export"`
  const directory = resolve(folder, code.path)
  if (!existsSync(directory) || !statSync(directory).isDirectory())
    return `there is no folder ${directory}; build it first`
  return {
    handlerFile: join(directory, split.module),
    handlerName: split.exported,
    directory,
    memoryMb,
    timeoutMs: timeoutSeconds * 1000,
    environment: { ...source.environment, ...valuesFor(source, all) },
  }
}

// As `sam local start-api --env-vars` reads it, so that the file that a team has goes on working.
function valuesFor({ logicalId, name }: FunctionSource, all: EnvironmentFile): Record<string, string> {
  const given = { ...all.Parameters, ...all[name], ...all[logicalId] }
  return Object.fromEntries(Object.entries(given).map(([variable, value]) => [variable, String(value)]))
}
