/**
 * Claims: signing in costs little more than its cryptography, and no more at a million users than at a thousand.
 *
 *   password login       authorize, both pages, post, code, tokens ÷ one Argon2id hash         at most 1.35
 *   client_credentials   one RS256 signature ÷ a token                                         at least 0.75
 *   refresh              two signatures (an ID token is due) ÷ an exchange                     at least 0.55
 *   each                 at 1,000,000 users / 100,000 organizations ÷ at 1,000 / 100           at most 1.1
 *
 * All of it in CPU: of the server's process and of all processes of its PostgreSQL together, from the kernel's accounts;
 * of the cryptography, in a process that does nothing else. In turn, order reversed each round; medians of the rounds'
 * ratios. A login signs two tokens beside its hash, and what is around them is what is measured.
 *
 *   BENCH_USERS=100000 npm run bench -- authentication      (smaller, quicker)
 */
import { loadavg } from 'node:os'
import { closeConnections } from './identity/requests.ts'
import { measure, median, message, settle, spawnChild, startServer } from './identity/server-process.ts'
import { prepareSignIns, type SignIns } from './identity/sign-ins.ts'

const ROUNDS = 7
/** A server that has run for a while: its code is compiled. */
const WARM_UP_MS = Number(process.env.BENCH_WARM_UP_SECONDS ?? 20) * 1000
const SCALE_TARGET = 1.1
const users = Number(process.env.BENCH_USERS ?? 1_000_000)

console.log(`loading 1000 and ${users} users`)
const small = await startServer({ users: 1000, organizations: 100 })
const large = await startServer({ users, organizations: Math.ceil(users / 10) })
console.log(`loaded in ${Math.round(performance.now() / 1000)} s`)
const crypto = spawnChild('crypto.ts')
const alone = (work: 'signature' | 'hash'): Promise<number> => {
  crypto.send({ work, milliseconds: 1500 })
  return message(crypto)
}

const sides = [
  { server: small, signIns: await prepareSignIns(small) },
  { server: large, signIns: await prepareSignIns(large) },
] as const

interface Claim {
  work: keyof SignIns
  unit: 'signature' | 'hash'
  /** Cost of the work in units of the cryptography, or how much of the cost it is. */
  ratio(microseconds: number, unit: number): number
  target: string
  met(ratio: number): boolean
}
const CLAIMS: Record<string, Claim> = {
  'password login ÷ Argon2id': {
    work: 'passwordLogin',
    unit: 'hash',
    ratio: (cost, hash) => cost / hash,
    target: '<= 1.35',
    met: (ratio) => ratio <= 1.35,
  },
  'signature ÷ client_credentials': {
    work: 'clientCredentials',
    unit: 'signature',
    ratio: (cost, signature) => signature / cost,
    target: '>= 0.75',
    met: (ratio) => ratio >= 0.75,
  },
  'two signatures ÷ refresh': {
    work: 'refresh',
    unit: 'signature',
    ratio: (cost, signature) => (2 * signature) / cost,
    target: '>= 0.55',
    met: (ratio) => ratio >= 0.55,
  },
}

const results = []
for (const [claim, { work, unit, ratio, target, met }] of Object.entries(CLAIMS)) {
  const run = async ({ server, signIns }: (typeof sides)[number], milliseconds = 2500) =>
    (await measure(server, signIns[work], { milliseconds })).microseconds
  for (const side of sides) {
    await run(side, WARM_UP_MS)
    await settle(side.server)
  }
  const rounds: { small: number; large: number; unit: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = round % 2 === 0 ? await alone(unit) : undefined
    const [first, other] = round % 2 === 0 ? [sides[0], sides[1]] : [sides[1], sides[0]]
    const [one, two] = [await run(first), await run(other)]
    const costs = first === sides[0] ? { small: one, large: two } : { small: two, large: one }
    rounds.push({ ...costs, unit: before ?? (await alone(unit)) })
  }
  const measured = Number(median(rounds.map((round) => ratio(round.small, round.unit))).toFixed(3))
  const scale = Number(median(rounds.map((round) => round.large / round.small)).toFixed(3))
  results.push({
    claim,
    ratio: measured,
    target,
    'small µs CPU': Math.round(median(rounds.map((round) => round.small))),
    'large µs CPU': Math.round(median(rounds.map((round) => round.large))),
    'cryptography µs CPU': Math.round(median(rounds.map((round) => round.unit))),
    'large ÷ small': scale,
    met: met(measured) && scale <= SCALE_TARGET,
  })
}
console.table(results)
console.log(
  JSON.stringify({
    claim: 'signing in, in CPU, beside its cryptography',
    results: Object.fromEntries(
      results.map((row) => [row.claim, { ratio: row.ratio, target: row.target, scale: row['large ÷ small'] }]),
    ),
    scaleTarget: `<= ${SCALE_TARGET}`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    node: process.version,
  }),
)
console.log(results.every(({ met }) => met) ? 'met' : 'MISSED')
closeConnections()
for (const child of [small.child, large.child, crypto]) child.disconnect()
