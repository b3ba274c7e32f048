/**
 * Whether a second process doubles what there is. Both share their limits through PostgreSQL, as they ship.
 *
 * On two cores the load and the upstream need a part of what a second gateway would use, so throughput would measure them.
 * What counts is the CPU time that a request takes of the gateways: as much as each of them takes alone means twice the
 * requests. Alone and together they are asked at one rate, which leaves the load room: a gateway that waits for its
 * clients is woken for each request, and pays more for it than one that finds several.
 */
import { openScratchDatabase } from '../identity/scratch-database.ts'
import type { Arena } from './arena.ts'
import { type Contestant, cpuMicroseconds } from './contestants.ts'
import { load, median, pace, round, runWindow, seconds } from './windows.ts'

const WARM_UP = 30_000
const GOAL = 1.8
// Of what one alone carries: two, what they are asked by, and the upstream fit on two cores.
const PART = 0.15

export async function compareProcesses(arena: Arena, windows: number): Promise<object> {
  const database = await openScratchDatabase({ transport: 'tcp' })
  const limits = database.urls
  const [first, second] = [await arena.gateway('first', { limits }, 0), await arena.gateway('second', { limits }, 1)]
  try {
    const token = arena.issuer.mint({ scope: 'openid profile read:todos write:other' })
    const traffic = { headers: [`authorization: Bearer ${token}`] }
    let perSecond = 0
    for (const each of [first, second]) {
      for (let requests = 0; requests < WARM_UP; ) {
        const window = await runWindow(each, traffic)
        requests += window.requests
        if (each === first) perSecond = Math.floor(window.rate * PART)
      }
    }
    const costAt = async ({ port, pid }: Contestant): Promise<number> => {
      const before = cpuMicroseconds(pid)
      await pace({ port, token, perSecond, seconds })
      return (cpuMicroseconds(pid) - before) / (perSecond * seconds)
    }
    const alone = async (): Promise<number[]> => [await costAt(first), await costAt(second)]
    const together = (): Promise<number[]> => Promise.all([costAt(first), costAt(second)])

    const one: number[] = []
    const two: number[] = []
    console.log(
      `each at ${perSecond} requests/s, load ${load()}\n\nCPU µs per request\nwindow  alone           together`,
    )
    for (let n = 0; n < windows; n++) {
      const both = n % 2 === 0 ? [await alone(), await together()] : [await together(), await alone()].toReversed()
      const [singles, pair] = both as [number[], number[]]
      one.push(mean(singles))
      two.push(mean(pair))
      const costs = [singles, pair].map((of) =>
        of
          .map((cost) => cost.toFixed(1))
          .join(' and ')
          .padEnd(16),
      )
      console.log(`${String(n + 1).padEnd(8)}${costs.join('')}`)
    }
    const ratio = round(median(one.map((cost, n) => (2 * cost) / two[n]!)))
    console.log(`two processes ÷ one: ${ratio}; goal at least ${GOAL}: ${ratio >= GOAL ? 'met' : 'MISSED'}`)
    return { claim: 'two processes ÷ one', one: round(median(one)), two: round(median(two)), ratio, goal: GOAL }
  } finally {
    // Before the database, or they would complain that it is gone.
    for (const { child } of [first, second]) child.kill('SIGKILL')
    await database.stop()
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
