/**
 * Claim: what the Management API costs does not grow with what is stored. Each operation costs at a million users and a
 * hundred thousand organizations at most 1.25 times what it costs at a thousand and a hundred.
 *
 * Cost is CPU per request: of the server's process and of all processes of its PostgreSQL together, from the kernel's
 * accounts. Two servers with two databases run side by side and are asked in turn, order reversed each round; medians of
 * the rounds' ratios. Beside it stands what a bare Fastify answer costs in the same process, per machine.
 *
 *   npm run bench -- management-scale                       (loading a million users takes some minutes)
 *   BENCH_USERS=100000 npm run bench -- management-scale    (smaller, quicker)
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'

const TARGET = 1.25
const ROUNDS = 7
const WINDOW_MS = 2000
const CONNECTIONS = 8
const users = Number(process.env.BENCH_USERS ?? 1_000_000)
const SIZES = { small: { users: 1000, organizations: 100 }, large: { users, organizations: users / 10 } }

interface Ready {
  port: number
  helloPort: number
  host: string
  token: string
  organization: string
}
interface Server extends Ready {
  child: ChildProcess
  size: { users: number; organizations: number }
}
interface Cost {
  microseconds: number
  requests: number
  milliseconds: number
}

const message = <T>(from: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`A process of the measurement ended with code ${code}.`))
    from.once('exit', ended)
    from.once('message', (value) => {
      from.off('exit', ended)
      resolve(value as T)
    })
  })

async function start(size: Server['size']): Promise<Server> {
  const file = fileURLToPath(new URL('management-scale/server.ts', import.meta.url))
  const child = fork(file, [JSON.stringify(size)], { execArgv: ['--no-node-snapshot'] })
  return { child, size, ...(await message<Ready>(child)) }
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
function ask(port: number, host: string, method: string, path: string, token?: string, body?: object): Promise<number> {
  const payload = body && JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        method,
        path,
        agent,
        headers: {
          host,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {}),
        },
      },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}

let made = 0
/** Random rows of all that is stored, so that neither size is answered from one warm page. */
const any = (count: number) => Math.floor(Math.random() * count)
const OPERATIONS: Record<string, { status: number; send: (server: Server) => Promise<number> }> = {
  'GET organization': {
    status: 200,
    send: (s) => manage(s, 'GET', `/organizations/name/organization-${any(s.size.organizations)}`),
  },
  'list members, page of 50': {
    status: 200,
    send: (s) => manage(s, 'GET', `/organizations/${s.organization}/members?take=50&include_totals=true`),
  },
  'users by e-mail': {
    status: 200,
    send: (s) => manage(s, 'GET', `/users-by-email?email=person${any(s.size.users)}@example.test`),
  },
  'add member': {
    status: 204,
    send: (s) => {
      const id = createHash('md5')
        .update(String(any(s.size.users)))
        .digest('hex')
      return manage(s, 'POST', `/organizations/${s.organization}/members`, { members: [`auth0|${id}`] })
    },
  },
  'create organization': {
    status: 201,
    send: (s) =>
      manage(s, 'POST', '/organizations', { name: `bench-${process.pid}-${made++}`, metadata: { tenantId: 'x' } }),
  },
}

const manage = (server: Server, method: string, path: string, body?: object) =>
  ask(server.port, server.host, method, `/api/v2${path}`, server.token, body)

const usage = (server: Server): Promise<{ server: number; database: number }> => {
  server.child.send('usage')
  return message(server.child)
}

async function measure(server: Server, status: number, send: (server: Server) => Promise<number>): Promise<Cost> {
  const before = await usage(server)
  const started = performance.now()
  let requests = 0
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (performance.now() - started < WINDOW_MS) {
        const answered = await send(server)
        if (answered !== status) throw new Error(`answered ${answered} instead of ${status}`)
        requests++
      }
    }),
  )
  const elapsed = performance.now() - started
  const after = await usage(server)
  const spent = after.server + after.database - before.server - before.database
  return { microseconds: spent / requests, requests, milliseconds: (elapsed * CONNECTIONS) / requests }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

console.log(`loading ${SIZES.small.users} and ${SIZES.large.users} users`)
const small = await start(SIZES.small)
const large = await start(SIZES.large)
console.log(`loaded in ${Math.round(performance.now() / 1000)} s`)

const bare: number[] = []
for (let n = 0; n < 3; n++)
  bare.push((await measure(small, 200, (s) => ask(s.helloPort, s.host, 'GET', '/'))).microseconds)
const helloCost = median(bare)

const results = []
for (const [name, { status, send }] of Object.entries(OPERATIONS)) {
  for (const server of [small, large]) await measure(server, status, send)
  const rounds: { small: Cost; large: Cost }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % 2 === 0 ? small : large
    const one = await measure(first, status, send)
    const other = await measure(first === small ? large : small, status, send)
    rounds.push(first === small ? { small: one, large: other } : { small: other, large: one })
  }
  results.push({
    operation: name,
    'small µs CPU': Math.round(median(rounds.map((round) => round.small.microseconds))),
    'large µs CPU': Math.round(median(rounds.map((round) => round.large.microseconds))),
    ratio: Number(median(rounds.map((round) => round.large.microseconds / round.small.microseconds)).toFixed(3)),
    'small ms': Number(median(rounds.map((round) => round.small.milliseconds)).toFixed(2)),
    'large ms': Number(median(rounds.map((round) => round.large.milliseconds)).toFixed(2)),
    'times a bare answer': Number((median(rounds.map((round) => round.large.microseconds)) / helloCost).toFixed(1)),
  })
}
console.table(results)
console.log(
  JSON.stringify({
    claim: `CPU per request at ${SIZES.large.users} users / at ${SIZES.small.users}`,
    ratios: Object.fromEntries(results.map(({ operation, ratio }) => [operation, ratio])),
    bareFastifyMicroseconds: Math.round(helloCost),
    target: `<= ${TARGET} each`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    node: process.version,
  }),
)
console.log(results.every(({ ratio }) => ratio <= TARGET) ? 'met' : 'MISSED')
agent.destroy()
small.child.disconnect()
large.child.disconnect()
