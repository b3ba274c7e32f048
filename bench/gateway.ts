/**
 * The gateway's claims about speed, each a ratio of figures from one run. CPU time per request is compared, not
 * throughput: on a shared machine throughput measures who else is busy. Windows alternate, in reversed order each round,
 * so that what disturbs one disturbs the others.
 *
 *   node bench/gateway.ts [cost|latency|scale|processes|memory]… [windows]
 *
 * Without names: all but `memory`, which takes a million requests.
 */
import { openArena } from './gateway/arena.ts'
import { missingTool } from './gateway/contestants.ts'
import { compareCost } from './gateway/cost.ts'
import { compareLatency } from './gateway/latency.ts'
import { compareProcesses } from './gateway/processes.ts'
import { compareScale, watchMemory } from './gateway/scale.ts'
import { load } from './gateway/windows.ts'

const claims = {
  cost: compareCost,
  latency: compareLatency,
  scale: compareScale,
  processes: compareProcesses,
  memory: watchMemory,
}

const missing = missingTool()
if (missing !== null) {
  console.error(missing)
  process.exit(1)
}
const args = process.argv.slice(2)
const windows = Math.max(7, Number(args.find((arg) => /^\d+$/.test(arg)) ?? 9))
const wanted = args.filter((arg) => Object.hasOwn(claims, arg)) as (keyof typeof claims)[]
for (const name of wanted.length > 0 ? wanted : (['cost', 'latency', 'scale', 'processes'] as const)) {
  console.log(`\n${name}`)
  const arena = await openArena()
  try {
    const summary = await claims[name](arena, windows)
    console.log(JSON.stringify({ bench: `gateway ${name}`, summary, windows, load: load() }))
  } finally {
    arena.close()
  }
}
