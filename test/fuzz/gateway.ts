/**
 * Fuzzes the gateway between raw sockets: `npm run fuzz -- --minutes 30 [--seed 7]`.
 *
 * Asserted of every connection: nothing crashes or hangs, no socket or request is left behind, what reaches the upstream
 * is one well-formed request that was authorised, and no answer comes back to anybody else.
 */
import net from 'node:net'
import { parseArgs } from 'node:util'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import { startIssuer } from '@tenantry/gateway/test-issuer.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { pino } from 'pino'
import { type Attack, createAttack, type Token } from './grammar.ts'
import { createRandom, type Random } from './random.ts'
import { startFuzzUpstream, type UpstreamRequest } from './upstream.ts'

export interface FuzzReport {
  readonly seed: number
  readonly connections: number
  /** Requests that the gateway passed on, and those of them that needed a token. */
  readonly forwarded: number
  readonly authorised: number
  /** Answers by status. */
  readonly answers: Readonly<Record<string, number>>
  /** Empty when all is well. */
  readonly faults: readonly string[]
}

const document = `
openapi: 3.0.1
info: { title: fuzz, version: "1" }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${issuer}", audience: ["https://api.example.test"] }
paths:
  /todos: { get: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/guarded/todos" } } }
  /pets/{id}: { get: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/guarded/pets/{id}" } } }
  /org/{id}: { x-amazon-apigateway-any-method: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/org" } } }
  /open/{proxy+}: { x-amazon-apigateway-any-method: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/o/{proxy}" } } }
  /hook: { post: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/o/hook" } } }
  /$default: { x-amazon-apigateway-any-method: { isDefaultRoute: true, security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${upstream}/d" } } }
`
const everywhere = {
  'overwrite:header.x-org-id': '$context.authorizer.claims.org_id',
  'overwrite:header.x-request-id': '$context.requestId',
}
const mappings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: placeholders of the definition
  'ANY /org/{id}': { 'overwrite:path': '/guarded/t/${context.authorizer.claims.org_id}/${request.querystring.q}' },
  'POST /hook': { 'overwrite:header.x-kind': '$request.body.kind' },
}
const timeoutMs = 300
const tokenCount = 40

/**
 * Fuzzes for a while.
 * @param ms how long connections are opened; the report comes up to 140 seconds later
 * @param least so many connections are opened, however long it takes
 */
export async function fuzzGateway(seed: number, ms: number, least = 0): Promise<FuzzReport> {
  const faults: string[] = []
  const fault = (what: string): void => {
    if (faults.length < 50) faults.push(what)
  }
  const issuer = await startIssuer(() => systemClock.now().getTime())
  const tomorrow = Math.floor(systemClock.now().getTime() / 1000) + 86_400
  const tokens: Token[] = Array.from({ length: tokenCount }, (_, n) => {
    const isValid = n % 4 !== 3
    return { text: issuer.mint({ org_id: `org-${n}`, exp: isValid ? tomorrow : 1 }), isValid }
  })
  const seen = { forwarded: 0, authorised: 0, ids: new Set<string>() }
  const upstream = await startFuzzUpstream((request) => {
    seen.forwarded++
    seen.ids.add(request.headers.find(([name]) => name === 'x-request-id')?.[1] ?? '')
    if (request.target.startsWith('/guarded/')) seen.authorised++
    const wrong = judge(request, tokens)
    if (wrong !== null) fault(`${wrong}: ${JSON.stringify(request)}`)
  }, fault)

  const ended = new Set<string>()
  const logger = pino({}, { write: (line: string) => inspectLog(line, fault) })
  const { api } = await loadOpenApi(document, {
    id: 'fuzz',
    variables: { issuer: issuer.issuer, upstream: `http://127.0.0.1:${upstream.port}` },
    discover: createDiscover(createFetchJson()),
  })
  const integrations = Object.entries(api.integrations).map(([key, integration]) => [
    key,
    { ...integration, timeoutMs, requestParameters: { ...everywhere, ...mappings[key] } },
  ])
  const gateway = createGateway({
    apis: [{ ...api, integrations: Object.fromEntries(integrations) }],
    clock: systemClock,
    logger,
    accessLog: { write: ({ id }) => void ended.add(id), close: async () => undefined },
  })
  const held = new Set<net.Socket>()
  gateway.server.on('connection', (socket) => {
    held.add(socket)
    socket.on('close', () => held.delete(socket))
  })
  const { port } = await gateway.listen(0, '127.0.0.1')
  const onCrash = (error: unknown): void => fault(`crash: ${error instanceof Error ? error.stack : error}`)
  process.on('uncaughtException', onCrash).on('unhandledRejection', onCrash)

  const answers: Record<string, number> = {}
  let connections = 0
  let marks = 0
  /** By the client's port: the seed of what was sent from there last. */
  const attackers = new Map<number, number>()
  const until = performance.now() + ms
  const work = async (): Promise<void> => {
    while ((performance.now() < until || connections < least) && faults.length < 5) {
      const number = seed + connections++
      const random = createRandom(number)
      const attack = createAttack(random, tokens, () => ++marks)
      const received = await strike(port, attack, random, (from) => attackers.set(from, number))
      for (const [, status] of received.matchAll(/HTTP\/1\.1 (\d{3}) /g)) answers[status!] = (answers[status!] ?? 0) + 1
      const wrong = judgeAnswer(received, attack)
      if (wrong !== null)
        fault(
          `${wrong}: sent ${JSON.stringify(attack.bytes.toString('latin1'))} got ${JSON.stringify(received.slice(0, 2_000))}`,
        )
      if (connections % 200 === 0) {
        const dead = await askHonestly(port, tokens[0]!)
        if (dead !== null) fault(`honest requests are not answered: ${JSON.stringify(dead)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: 40 }, work))

  await waitUntil(() => held.size === 0 && upstream.connections() === 0 && [...seen.ids].every((id) => ended.has(id)))
  for (const socket of held)
    fault(`attack ${attackers.get(socket.remotePort ?? 0)} has left its connection: ${describe(socket)}`)
  if (upstream.connections() > 0) fault(`${upstream.connections()} connections to the upstream are left`)
  const lost = [...seen.ids].filter((id) => !ended.has(id))
  if (lost.length > 0) fault(`${lost.length} requests have never ended`)
  process.off('uncaughtException', onCrash).off('unhandledRejection', onCrash)
  gateway.server.closeAllConnections()
  const closing = gateway.close().then(() => true)
  if (!(await Promise.race([closing, wait(60_000)]))) fault('the gateway does not close')
  upstream.close()
  await issuer.close()
  return { seed, connections, forwarded: seen.forwarded, authorised: seen.authorised, answers, faults }
}

const describe = ({ bytesRead, bytesWritten, readableFlowing, readyState, writableLength }: net.Socket): string =>
  JSON.stringify({ bytesRead, bytesWritten, readableFlowing, readyState, writableLength })

const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-')
const observed = new Set([
  'x-forwarded-for',
  'forwarded',
  'via',
  'apigw-requestid',
  'x-amzn-oidc-identity',
  'client-cert',
  'x-real-ip',
])
const guardedPath = /^\/(?:todos|pets\/[^/]+|org\/[^/]+)\/?$/i

/** What is wrong with a request that has reached the upstream. */
function judge({ headers, target }: UpstreamRequest, tokens: readonly Token[]): string | null {
  const path = target.split('?')[0]!
  const values = (name: string): string[] =>
    headers.filter(([found]) => folded(found) === name).map(([, value]) => value)
  if (/\/\/|\/\.{1,2}(?:\/|$)|[\\;]|%2f|%5c|%3b|%00|%0[da]|%2e/i.test(path)) return 'a path with two readings'
  // The host is the client's to choose, and `forged` is one.
  const own = /^for=127\.0\.0\.1;host=[^;]*;proto=http$/
  if (headers.some(([name, value]) => observed.has(folded(name)) && value.includes('forged') && !own.test(value))) {
    return 'a forged header'
  }
  if (values('x-forwarded-for').join() !== '127.0.0.1') return 'not one address of the client'
  const owners = values('x-org-id')
  if (!path.startsWith('/guarded/')) {
    if (owners.length > 0) return 'an organization that nobody has verified'
    if (path.startsWith('/d/') && guardedPath.test(decodeURIComponent(path.slice(2))))
      return 'a guarded path by the open route'
    return /^\/[od]\//.test(path) ? null : 'a path outside of the integrations'
  }
  // Written from the claims of the token that was checked; the token itself may be claimed for one hop and taken off.
  const number = Number(/^org-(\d+)$/.exec(owners.join())?.[1] ?? Number.NaN)
  const token = tokens[number]
  if (token?.isValid !== true) return 'a guarded request without a valid token'
  if (values('authorization').some((shown) => shown !== `Bearer ${token.text}`))
    return 'a guarded request of another organization'
  if (path.startsWith('/guarded/t/') && !new RegExp(`^/guarded/t/org-${number}/[^/]+$`).test(path))
    return 'a path that is not its own'
  // The first half of the tokens is never sent by connections whose bytes were changed at random.
  const isMarked = number >= tokenCount / 2 || target.includes(`m=${number}.`)
  return isMarked ? null : 'a token on a request that it was not sent with'
}

function judgeAnswer(received: string, { isMutated, marks }: Attack): string | null {
  if (received !== '' && !received.startsWith('HTTP/1.1 ')) return 'an answer that is none'
  if (received.includes('POISON')) return 'bytes of an upstream that belong to no answer'
  if (isMutated) return null
  const foreign = [...received.matchAll(/\[m=-?\d+\.(\d+)\.\]/g)].find(([, mark]) => !marks.has(Number(mark)))
  return foreign === undefined ? null : 'an answer to somebody else'
}

/** An error that our own code has no name for. */
function inspectLog(line: string, fault: (what: string) => void): void {
  const { err } = JSON.parse(line) as { err?: { type?: string; stack?: string } }
  if (/^(?:Type|Range|Reference|Syntax|URI)Error$/.test(err?.type ?? '')) fault(`a bug: ${err?.stack}`)
}

/** Writes an attack in pieces, and takes what comes until the connection ends or patience does. */
function strike(port: number, { bytes }: Attack, random: Random, onPort: (port: number) => void): Promise<string> {
  const patience = random.pick([5, 30, 100, 400, 400, 700])
  const isClosing = random.once(4)
  return new Promise((resolve) => {
    let received = ''
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const timer = setTimeout(() => socket.destroy(), patience)
    socket.on('connect', () => onPort(socket.localPort ?? 0))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(received)
    })
    let at = 0
    const write = (): void => {
      if (socket.destroyed || at >= bytes.length) {
        if (isClosing && !socket.destroyed) socket.end()
        return
      }
      const size = random.once(3) ? bytes.length : 1 + random.int(bytes.length)
      socket.write(bytes.subarray(at, at + size))
      at += size
      setTimeout(write, random.int(3))
    }
    write()
  })
}

/** `null`, or what an honest client has got in the place of its answers: on a busy machine one may come too late. */
async function askHonestly(port: number, token: Token): Promise<readonly string[] | null> {
  const got: string[] = []
  while (got.length < 60) {
    const text = await askOnce(port, token)
    if (text.startsWith('HTTP/1.1 200 ') && text.includes('[m=0.0.]')) return null
    got.push(text)
    await wait(500)
  }
  return got
}

function askOnce(port: number, token: Token): Promise<string> {
  const head = 'GET /todos?m=0.0. HTTP/1.1\r\nhost: a\r\nconnection: close\r\n'
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    const timer = setTimeout(() => socket.destroy(), 20_000)
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(received)
    })
    socket.write(`${head}authorization: Bearer ${token.text}\r\n\r\n`)
  })
}

async function waitUntil(isDone: () => boolean): Promise<void> {
  // Longer than a request may take to arrive: one that is stuck half-way is given up by then.
  for (let left = 1_400; left > 0 && !isDone(); left--) await wait(100)
}

const wait = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(resolve, ms, false))

if (import.meta.main) {
  const { seed, minutes } = readOptions()
  console.log(`seed ${seed}, ${minutes} minutes`)
  const report = await fuzzGateway(seed, minutes * 60_000)
  console.log(JSON.stringify(report, null, 2))
  process.exit(report.faults.length === 0 ? 0 : 1)
}

function readOptions(): { seed: number; minutes: number } {
  try {
    const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } } })
    const seed = Number(values.seed ?? systemClock.now().getTime() % 1_000_000_000)
    const minutes = Number(values.minutes)
    if (!(minutes > 0) || !Number.isSafeInteger(seed)) throw new Error('Minutes and seed are numbers')
    return { seed, minutes }
  } catch (error) {
    console.error(`${(error as Error).message}. Usage: npm run fuzz -- [--minutes 30] [--seed 7]`)
    process.exit(2)
  }
}
