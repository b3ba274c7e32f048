/** Fixture: functions in a folder of their own, run by the local runner behind a gateway. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { type Api, defaultStage } from '../../api.ts'
import { type Bench, startBench } from '../../test-gateway.ts'
import type { LocalFunction } from './configuration.ts'
import { createLocalFunctions, type LocalFunctions, type LocalFunctionsOptions } from './local.ts'

export const arnOf = (name: string): string => `arn:aws:lambda:eu-central-1:000000000001:function:${name}`

/** A function that answers with its process. */
export const pid = 'export const handler = async () => process.pid'

/** One that takes as many milliseconds as its query says, and tells whether another invocation came in between. */
export const slow = `
let invocations = 0
export const handler = async ({ rawQueryString }) => {
  const at = ++invocations
  await new Promise((resolve) => setTimeout(resolve, Number(rawQueryString || 200)))
  console.log('done')
  return { pid: process.pid, overlaps: at !== invocations, invocations }
}`

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
  /** @returns the body */
  answer(name: string, query?: string): Promise<string>
  /** Calls a function that must fail. @returns what the gateway's log says of it */
  failure(name: string, query?: string): Promise<string>
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
  const call: LocalBench['call'] = (name, rest) => bench.send({ path: `/${name}`, ...rest })
  return {
    bench,
    functions,
    folder,
    logs,
    call,
    answer: async (name, query = '') => (await call(name, { path: `/${name}?${query}` })).body,
    failure: async (name, query = '') => {
      bench.logLines.length = 0
      const { status } = await call(name, { path: `/${name}?${query}` })
      assert.equal(status, 500)
      const line = bench.logLines.find(({ msg }) => msg === 'request failed') as { err: { message: string } }
      return line.err.message
    },
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

export const isAlive = (id: number): boolean => {
  try {
    process.kill(id, 0)
    return true
  } catch {
    return false
  }
}

export const untilGone = async (id: number): Promise<void> => {
  while (isAlive(id)) await wait(20)
}
