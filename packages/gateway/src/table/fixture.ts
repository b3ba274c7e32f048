/**
 * Fixture: serves the APIs of an area of the table and sends its rows. What differs from run to run (request
 * ids, dates, ports, addresses) gets a name in angle brackets; everything else is compared as it came.
 */
import net from 'node:net'
import tls from 'node:tls'
import { pino } from 'pino'
import type { Api } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import { FunctionFailed, type Functions } from '../functions/functions.ts'
import { createGateway, type GatewayDeps } from '../gateway.ts'
import { createTestFunctions } from '../test-functions.ts'
import { type Bench, startBench, writeAndCollect } from '../test-gateway.ts'
import type { Answered, Headers, Row, Served } from './row.ts'
import { bytesOf, collect, readAnswer } from './wire.ts'

/** What a row led to, in the words of the table. */
export interface Outcome {
  readonly answer: Answered
  readonly forwarded: readonly { readonly line: string; readonly headers: Headers; readonly body: string }[]
  readonly events: readonly object[]
  readonly asked: readonly object[]
  /** The exchange as the gateway ended it; none for what its parser refuses. */
  readonly exchange: Exchange | null
}

export interface ServedArea {
  readonly bench: Bench
  run(row: Pick<Row, 'send'> & Partial<Row>): Promise<Outcome>
  replace(apis: readonly Api[]): void
  close(): Promise<void>
}

type Options = Partial<Pick<GatewayDeps, 'domains' | 'revocations' | 'accountThrottling'>>

/** @param optionsOf what the gateway is given beside the APIs, once the issuer is there */
export async function serveArea(
  served: readonly Served[],
  optionsOf: (bench: Bench) => Options = () => ({}),
): Promise<ServedArea> {
  const bench = await startBench()
  const { functions, play, invocations } = createPlayers()
  let last: Exchange | null = null
  const apis = await Promise.all(
    served.map(async ({ document, stage, ...rest }): Promise<Api> => {
      const { api } = await bench.load(JSON.stringify(document))
      const variables = { ...api.stage.variables, ...stage?.variables }
      return { ...api, ...rest, stage: { ...api.stage, ...stage, variables } }
    }),
  )
  const options = optionsOf(bench)
  const gateway = createGateway({
    apis,
    clock: bench.clock,
    logger: pino({ level: 'silent' }),
    functions,
    accessLog: {
      write: (exchange) => {
        last = exchange
      },
      close: async () => undefined,
    },
    ...options,
  })
  const { port } = await gateway.listen(0, '127.0.0.1')
  const { port: tlsPort } = await gateway.listenTls(0, '127.0.0.1')
  const [discovery, jwks] = [bench.issuer.answers.discovery, bench.issuer.answers.jwks]

  const forwarded: Outcome['forwarded'][number][] = []
  const playUpstream = ({ upstream = {} }: Partial<Row>): void => {
    bench.upstream.reply = (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method, url, rawHeaders } = request
        forwarded.push({ line: `${method} ${url}`, headers: collect(rawHeaders), body: String(Buffer.concat(chunks)) })
        if (upstream === 'silent') return
        if (upstream === 'broken') return void request.socket.destroy()
        const { status = 200, headers = {}, body = 'ok' } = upstream
        response.sendDate = false
        const length = status === 204 || status === 304 ? {} : { 'content-length': String(Buffer.byteLength(body)) }
        response.writeHead(status, { ...length, ...headers } as Record<string, string>).end(body)
      })
    }
  }
  const named = (value: unknown, id: string): unknown =>
    typeof value !== 'string'
      ? value
      : value
          .replaceAll(bench.issuer.issuer, '<issuer>')
          .replaceAll(bench.upstream.url, '<upstream>')
          .replaceAll(bench.upstream.url.slice('http://'.length), '<upstream host>')
          .replaceAll(id === '' ? '<id>' : id, '<id>')

  return {
    bench,
    replace: (apis) => void gateway.replace(apis),
    run: async (row) => {
      last = null
      forwarded.length = 0
      invocations.length = 0
      play(row)
      playUpstream(row)
      const refuse: typeof jwks = (response) => response.writeHead(503).end()
      bench.issuer.answers.discovery = row.issuer === 'discovery' ? refuse : discovery
      bench.issuer.answers.jwks = row.issuer === 'jwks' ? refuse : jwks
      // A fault of the issuer is only met by an authorizer that has no keys yet.
      const forget = (): void => {
        gateway.replace([])
        gateway.replace(apis)
      }
      if (row.issuer !== undefined) forget()
      if (row.suspensions === 'known') await options.revocations?.[0]?.ready
      const { headersTimeout } = gateway.server
      gateway.server.headersTimeout = row.headersTimeoutMs ?? headersTimeout
      const { token, bytes } = bytesOf(bench, row.send)
      const socket =
        row.send.tls === undefined
          ? net.connect(port, '127.0.0.1')
          : tls.connect({ port: tlsPort, host: '127.0.0.1', servername: row.send.tls, rejectUnauthorized: false })
      const answer = readAnswer(await writeAndCollect(socket, bytes, 20_000))
      gateway.server.headersTimeout = headersTimeout
      if (row.issuer !== undefined) forget()
      const id = String(answer.headers['apigw-requestid'] ?? '')
      const write = (value: unknown): unknown =>
        deep(value, (text, key) => {
          if (text === String(port) || text === String(tlsPort)) return '<port>'
          const short = token === '' ? text : typeof text === 'string' ? text.replaceAll(token, '<token>') : text
          return isTime.get(key)?.test(String(short)) === true ? `<${key}>` : named(short, id)
        })
      return {
        answer: write(answer) as Answered,
        forwarded: write(forwarded) as Outcome['forwarded'],
        events: write(invocations.filter(({ arn }) => !isDecider(arn)).map(({ event }) => event)) as object[],
        asked: write(invocations.filter(({ arn }) => isDecider(arn)).map(({ event }) => event)) as object[],
        exchange: last,
      }
    },
    close: async () => {
      for (const server of [gateway.server, gateway.secureServer]) server.closeAllConnections()
      await Promise.all([gateway.close(), bench.close()])
    },
  }
}

// What is this moment's, and the shape it must have.
const isTime: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    date: /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
    time: /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/,
    requestTime: /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/,
    timeEpoch: /^\d{13}$/,
    requestTimeEpoch: /^\d{13}$/,
    'apigw-requestid': /^[\w-]{15}=$/,
    'x-amzn-trace-id': /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/,
  }),
)

const isDecider = (arn: string): boolean => arn.includes(':function:decide')

/** Functions that return what the row of the moment says. */
function createPlayers() {
  const all = createTestFunctions()
  let row: Partial<Row> = {}
  const functions: Functions = {
    invoke: (arn, text, options) => {
      const { result, fault } = (isDecider(arn) ? row.decides : row.returns) ?? { fault: 'unknown' as const }
      all.handlers.set(arn, () => result)
      if (fault === undefined) return all.invoke(arn, text, options)
      all.invocations.push({ arn, event: JSON.parse(text), timeoutMs: options.timeoutMs })
      return Promise.reject(new FunctionFailed(fault, 'of the row'))
    },
  }
  return {
    functions,
    invocations: all.invocations,
    play: (next: Partial<Row>) => {
      row = next
    },
  }
}

/** Every leaf of JSON anew, told the name of the member it stands in. */
export function deep(value: unknown, change: (leaf: unknown, key: string) => unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => deep(each, change, key))
  if (typeof value !== 'object' || value === null) return change(value, key)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, deep(each, change, name)]))
}
