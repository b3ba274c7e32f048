/**
 * The kit's claims about speed, each a ratio of figures from one run: what compares takes turns, in reversed order each
 * round, and CPU is compared, because on a shared machine a clock measures who else is busy.
 *
 *   npm run bench -- tenancy                          all of them
 *   node bench/tenancy.ts transaction                 one
 */
import { loadavg } from 'node:os'
import { measureIdentity } from './tenancy/identity.ts'
import { measureMoves } from './tenancy/move.ts'
import { measureSuspended } from './tenancy/suspended.ts'
import { compareTenants } from './tenancy/tenants.ts'
import { compareTransactions } from './tenancy/transaction.ts'
import { compareTriggers } from './tenancy/triggers.ts'

const claims = {
  transaction: compareTransactions,
  tenants: compareTenants,
  identity: measureIdentity,
  suspended: measureSuspended,
  move: measureMoves,
  triggers: compareTriggers,
}

const wanted = process.argv.slice(2).filter((name) => Object.hasOwn(claims, name)) as (keyof typeof claims)[]
for (const name of wanted.length > 0 ? wanted : (Object.keys(claims) as (keyof typeof claims)[])) {
  console.log(`\n${name}`)
  const summary = await claims[name]()
  const load = loadavg().map((value) => Number(value.toFixed(2)))
  console.log(JSON.stringify({ bench: `tenancy ${name}`, ...summary, load }))
}
