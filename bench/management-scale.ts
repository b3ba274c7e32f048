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
import { createHash } from 'node:crypto'
import { loadavg } from 'node:os'
import { ask, closeConnections, manage } from './identity/requests.ts'
import { type Cost, measure, median, type ServerProcess, startServer } from './identity/server-process.ts'

const TARGET = 1.25
const ROUNDS = 7
const users = Number(process.env.BENCH_USERS ?? 1_000_000)
const SIZES = { small: { users: 1000, organizations: 100 }, large: { users, organizations: users / 10 } }

let made = 0
/** Random rows of all that is stored, so that neither size is answered from one warm page. */
const any = (count: number) => Math.floor(Math.random() * count)
const OPERATIONS: Record<string, (server: ServerProcess) => Promise<unknown>> = {
  'GET organization': (s) => manage(s, 'GET', `/organizations/name/organization-${any(s.size.organizations)}`),
  'list members, page of 50': (s) =>
    manage(s, 'GET', `/organizations/${s.organization}/members?take=50&include_totals=true`),
  'users by e-mail': (s) => manage(s, 'GET', `/users-by-email?email=person${any(s.size.users)}@example.test`),
  'add member': (s) => {
    const id = createHash('md5')
      .update(String(any(s.size.users)))
      .digest('hex')
    return manage(s, 'POST', `/organizations/${s.organization}/members`, { members: [`auth0|${id}`] }, 204)
  },
  'create organization': (s) =>
    manage(s, 'POST', '/organizations', { name: `bench-${process.pid}-${made++}`, metadata: { tenantId: 'x' } }, 201),
}

console.log(`loading ${SIZES.small.users} and ${SIZES.large.users} users`)
const small = await startServer(SIZES.small)
const large = await startServer(SIZES.large)
console.log(`loaded in ${Math.round(performance.now() / 1000)} s`)

const bare: number[] = []
for (let n = 0; n < 3; n++)
  bare.push((await measure(small, () => ask(small, '/', { port: small.helloPort }))).microseconds)
const helloCost = median(bare)

const results = []
for (const [name, work] of Object.entries(OPERATIONS)) {
  const run = (server: ServerProcess) => measure(server, () => work(server))
  for (const server of [small, large]) await run(server)
  const rounds: { small: Cost; large: Cost }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % 2 === 0 ? small : large
    const one = await run(first)
    const other = await run(first === small ? large : small)
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
closeConnections()
small.child.disconnect()
large.child.disconnect()
