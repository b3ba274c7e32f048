/**
 * Claim: the identity server costs as much after half a million requests as at the beginning, and holds as much memory.
 * What is kept too long, or searched in full, shows only here: each request may cost a little more than the one before,
 * which no comparison of two states sees.
 *
 * Cost is CPU per request: of the server's process and of all processes of its PostgreSQL together, from the kernel's
 * accounts. Reads of the Management API, machine tokens and refresh exchanges take turns; the first turn warms up.
 *
 *   npm run bench -- endurance
 *   BENCH_REQUESTS=100000 npm run bench -- endurance    (quicker)
 */
import { loadavg } from 'node:os'
import { closeConnections, manage } from './identity/requests.ts'
import { measure, message, startServer } from './identity/server-process.ts'
import { prepareSignIns } from './identity/sign-ins.ts'

const TARGET = 1.1
const requests = Number(process.env.BENCH_REQUESTS ?? 500_000)
/** Fewer than the server has connections to its database, some of which are idle all the time. */
const CONNECTIONS = 4

const server = await startServer({ users: 1000, organizations: 100 })
const signIns = await prepareSignIns(server)
const works = {
  organization: () => manage(server, 'GET', `/organizations/name/organization-${Math.floor(Math.random() * 100)}`),
  'machine token': signIns.clientCredentials,
  refresh: signIns.refresh,
}
type Turn = Record<keyof typeof works, number> & { memory: number }

async function takeTurns(): Promise<{ turn: Turn; count: number }> {
  const turn = { memory: 0 } as Turn
  let sum = 0
  for (const [name, work] of Object.entries(works)) {
    const { microseconds, count } = await measure(server, work, { milliseconds: 8000, connections: CONNECTIONS })
    turn[name as keyof typeof works] = microseconds
    sum += count
  }
  server.child.send('memory')
  turn.memory = (await message<number>(server.child)) / 2 ** 20
  return { turn, count: sum }
}

// All connections to the database are opened once.
await measure(server, works.organization, { milliseconds: 1000, connections: 32 })
await takeTurns()
const turns: Turn[] = []
for (let done = 0; done < requests; ) {
  const { turn, count } = await takeTurns()
  turns.push(turn)
  done += count
  const costs = Object.keys(works).map((name) => `${name} ${Math.round(turn[name as keyof typeof works])} µs`)
  console.log(`${done} requests: ${costs.join(', ')}, ${Math.round(turn.memory)} MiB resident`)
}

/** The last quarter of the turns over the first one: a single turn is at the mercy of whatever else the machine does. */
function growth(of: keyof Turn): number {
  const quarter = Math.max(1, Math.floor(turns.length / 4))
  const mean = (some: Turn[]) => some.reduce((sum, turn) => sum + turn[of], 0) / some.length
  return Number((mean(turns.slice(-quarter)) / mean(turns.slice(0, quarter))).toFixed(3))
}
const grown = Object.fromEntries([...Object.keys(works), 'memory'].map((name) => [name, growth(name as keyof Turn)]))
console.table(grown)
console.log(
  JSON.stringify({
    claim: `the last quarter of ${requests} requests ÷ the first, in CPU and in memory`,
    grown,
    target: `<= ${TARGET}`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    node: process.version,
  }),
)
console.log(Object.values(grown).every((ratio) => ratio <= TARGET) ? 'met' : 'MISSED')
closeConnections()
server.child.disconnect()
