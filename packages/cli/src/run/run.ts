/**
 * `tenantry gateway run <file>`: serves the APIs of one definition and runs the functions that it names, from the folders
 * of this checkout. For development: it needs no database, and what is changed is served at once.
 */
import { readFileSync, watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { AccessLog } from '@tenantry/gateway/access-log/access-log.ts'
import type { Api } from '@tenantry/gateway/api.ts'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { type LoadedDefinition, loadDefinition } from '@tenantry/gateway/definition/load.ts'
import { FunctionFailed, type Functions } from '@tenantry/gateway/functions/functions.ts'
import { createLocalFunctions, type LocalFunctions } from '@tenantry/gateway/functions/local/local.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import type { Domain } from '@tenantry/gateway/tls/domain.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { explainListenError } from '../listen.ts'
import { type EnvironmentFile, type Runnable, runnableFunctions } from './functions.ts'
import { reachableAtLocalhost } from './routes.ts'
import { domainsToServe, type RunTls } from './tls.ts'

export interface RunOptions {
  readonly file: string
  readonly host: string
  readonly port: number
  /** Without it only plain HTTP is spoken. */
  readonly tls?: RunTls
  /** Parameters of a template, by name. */
  readonly parameters: Readonly<Record<string, string>>
  /** What other stacks export, by name. */
  readonly imports: Readonly<Record<string, string>>
  /** `AWS::Region` and the like, or `${name}` in an OpenAPI document. */
  readonly variables: Readonly<Record<string, string>>
  readonly stageVariables: Readonly<Record<string, string>>
  readonly environments?: EnvironmentFile
  readonly strict: boolean
  readonly watch: boolean
  /** Certificate authorities to trust instead of the public ones (PEM). */
  readonly trustedCa?: string
  readonly logger: Logger
  readonly accessLog: AccessLog
}

export interface Running {
  readonly port: number
  /** `undefined`: only plain HTTP is spoken. */
  readonly tlsPort: number | undefined
  readonly apis: readonly Api[]
  readonly warnings: readonly string[]
  close(): Promise<void>
}

export interface RunEvents {
  /** The definition was read anew and is served. */
  reloaded(apis: readonly Api[], warnings: readonly string[]): void
  /** It cannot be served; what was served before still is. */
  failed(error: Error): void
}

/** @throws Problem `definition_refused`, or Error when a function or the port cannot be had */
export async function runDefinition(options: RunOptions, events: RunEvents): Promise<Running> {
  const { logger, accessLog, trustedCa, host, port, tls } = options
  const fetchJson = createFetchJson(trustedCa === undefined ? {} : { ca: trustedCa })
  const named = new Set([resolve(options.file)])
  const load = () => readDefinition(options, fetchJson, (path) => named.add(path))
  let current = await load()
  const functions: Functions = { invoke: (arn, event, invocation) => current.invoke(arn, event, invocation) }
  const gateway = createGateway({
    apis: current.apis,
    domains: current.domains,
    clock: systemClock,
    logger,
    functions,
    fetchJson,
    ...(trustedCa === undefined ? {} : { trustedCa }),
    strict: options.strict,
    accessLog,
  })
  const listening = await listen().catch(async (error: unknown) => {
    await gateway.close()
    await current.close()
    throw error
  })

  async function listen(): Promise<{ port: number; tlsPort: number | undefined }> {
    const plain = await gateway.listen(port, host).catch((error: Error) => {
      throw explainListenError(error, port, '--port')
    })
    if (tls === undefined) return { port: plain.port, tlsPort: undefined }
    const secure = await gateway.listenTls(tls.port, host).catch((error: Error) => {
      throw explainListenError(error, tls.port, '--tls-port')
    })
    return { port: plain.port, tlsPort: secure.port }
  }

  const reload = async (): Promise<void> => {
    const next = await load()
    try {
      gateway.replaceDomains(next.domains)
      const [unserved] = gateway.replace(next.apis)
      if (unserved !== undefined) {
        // One file is served whole or as it was; nothing is asked between the two.
        gateway.replace(current.apis)
        throw new Error(unserved.reason)
      }
    } catch (error) {
      gateway.replaceDomains(current.domains)
      await next.close()
      throw error
    }
    const previous = current
    current = next
    events.reloaded(next.apis, next.warnings)
    // It waits for what is under way; the next change does not.
    const left = previous.close()
    leaving.add(left)
    void left.then(() => leaving.delete(left))
  }
  const leaving = new Set<Promise<void>>()
  // One after the other: of two at once the one that asks a slow issuer would come last, with what was saved first.
  let reloading: Promise<void> = Promise.resolve()
  const watched = new Map<string, () => void>()
  // A definition that is read anew may name further files.
  const watchNamed = (): void => {
    const more = [...named].filter((path) => options.watch && !watched.has(path))
    for (const path of more) watched.set(path, watchFile(path, changed))
  }
  const changed = (): void => {
    reloading = reloading
      .then(reload)
      .catch((error: unknown) => events.failed(error as Error))
      .then(watchNamed)
  }
  watchNamed()

  return {
    port: listening.port,
    tlsPort: listening.tlsPort,
    apis: current.apis,
    warnings: current.warnings,
    close: async () => {
      for (const stop of watched.values()) stop()
      await reloading
      await gateway.close()
      await Promise.all([current.close(), ...leaving])
      await accessLog.close()
    },
  }
}

interface Served extends Functions {
  readonly apis: readonly Api[]
  readonly domains: readonly Domain[]
  readonly warnings: readonly string[]
  close(): Promise<void>
}

/** @param reads is told each further file that the definition names */
async function readDefinition(
  options: RunOptions,
  fetchJson: ReturnType<typeof createFetchJson>,
  reads: (path: string) => void,
): Promise<Served> {
  const { file, parameters, imports, variables, stageVariables, logger } = options
  const readBeside = (name: string): string => {
    const path = resolve(dirname(file), name)
    const text = readFileSync(path, 'utf8')
    reads(path)
    return text
  }
  const definition: LoadedDefinition = await loadDefinition(readFileSync(file, 'utf8'), {
    id: 'local',
    file,
    parameters,
    imports,
    variables,
    stageVariables,
    discover: createDiscover(fetchJson),
    readFile: readBeside,
  })
  const { domains, warnings } = domainsToServe(definition.apis, options.tls)
  const runnable = runnableFunctions(definition.functions, file, options.environments)
  const local = createLocalFunctions({ functions: runnable.functions, logger, watch: options.watch })
  const said = definition.warnings.map(({ at, message }) => `${at}: ${message}`)
  return {
    apis: reachableAtLocalhost(definition.apis),
    domains,
    warnings: [...said, ...warnings, ...unrunnable(definition, runnable)],
    invoke: invokeOrExplain(local, runnable),
    close: () => local.close(),
  }
}

function* unrunnable({ apis, functions }: LoadedDefinition, { refused }: Runnable): Generator<string> {
  const used = JSON.stringify(apis)
  for (const { arn, logicalId } of functions) {
    if (refused.has(arn) && used.includes(arn)) yield `the function ${logicalId} is not run: ${refused.get(arn)}`
  }
}

const invokeOrExplain =
  (local: LocalFunctions, { refused }: Runnable): Functions['invoke'] =>
  async (arn, event, invocation) => {
    const reason = refused.get(arn)
    if (reason !== undefined) throw new FunctionFailed('unknown', `the function ${arn} is not run here: ${reason}`)
    return local.invoke(arn, event, invocation)
  }

// Editors replace a file instead of writing it, so its folder is watched.
function watchFile(file: string, changed: () => void): () => void {
  const name = basename(file)
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(dirname(file), (_event, entry) => {
    if (entry !== name) return
    clearTimeout(timer)
    timer = setTimeout(changed, 100)
  })
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
