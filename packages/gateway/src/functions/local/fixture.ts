/** Fixture: functions in a folder of their own, run by the local runner behind a gateway. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { type Api, defaultStage } from '../../api.ts'
import { type Bench, startBench } from '../../test-gateway.ts'
import type { LocalFunction } from './configuration.ts'
import { createLocalFunctions, type LocalFunctions, type LocalFunctionsOptions } from './local.ts'

export const arnOf = (name: string): string => `arn:aws:lambda:eu-central-1:000000000001:function:${name}`

export interface Source {
  /** Name of the file; `index.mjs` by default. */
  readonly file?: string
  readonly text: string
  readonly config?: Partial<LocalFunction>
  /** Of the integration. */
  readonly integrationTimeoutMs?: number
}

export interface LocalBench {
  readonly bench: Bench
  readonly functions: LocalFunctions
  readonly folder: string
  /** What functions logged. */
  readonly logs: Record<string, unknown>[]
  /** Calls the function of this name through the gateway. */
  call(name: string, options?: Parameters<Bench['send']>[0]): ReturnType<Bench['send']>
  close(): Promise<void>
}

/** A bench whose gateway has a function per name, each in a folder of its own, at `/name`. */
export async function startLocalBench(
  sources: Readonly<Record<string, Source>>,
  options: Omit<LocalFunctionsOptions, 'functions' | 'logger'> = {},
): Promise<LocalBench> {
  const folder = mkdtempSync(path.join(tmpdir(), 'functions-'))
  const logs: Record<string, unknown>[] = []
  const configs: Record<string, LocalFunction> = {}
  for (const [name, { config, file = 'index.mjs', text }] of Object.entries(sources)) {
    const handlerFile = path.join(folder, name, file)
    mkdirSync(path.dirname(handlerFile), { recursive: true })
    writeFileSync(handlerFile, text)
    configs[name] = { handlerFile, handlerName: 'handler', ...config }
  }
  const functions = createLocalFunctions({
    ...options,
    functions: configs,
    logger: pino({ level: 'trace' }, { write: (line: string) => void logs.push(JSON.parse(line)) }),
  })
  const bench = await startBench(undefined, { functions })
  bench.gateway.replace([apiOf(sources)])
  return {
    bench,
    functions,
    folder,
    logs,
    call: (name, rest) => bench.send({ path: `/${name}`, ...rest }),
    close: async () => {
      await bench.close()
      await functions.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const apiOf = (sources: Readonly<Record<string, Source>>): Api => ({
  id: 'functions',
  accountId: '000000000001',
  region: 'eu-central-1',
  stage: defaultStage(),
  endpoints: [{ host: null, basePath: '', kind: 'stage' }],
  name: 'functions',
  description: null,
  version: null,
  tags: {},
  authorizers: {},
  cors: null,
  disableExecuteApiEndpoint: false,
  routes: Object.keys(sources).map((name) => ({
    key: `ANY /${name}`,
    integration: name,
    authorization: { type: 'NONE' },
  })),
  integrations: Object.fromEntries(
    Object.entries(sources).map(([name, { integrationTimeoutMs = 30_000 }]) => [
      name,
      {
        type: 'AWS_PROXY',
        functionArn: arnOf(name),
        payloadFormatVersion: '2.0',
        timeoutMs: integrationTimeoutMs,
        requestParameters: {},
        responseParameters: {},
        credentialsArn: null,
      },
    ]),
  ),
})
