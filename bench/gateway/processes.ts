/**
 * Whether a second process doubles what there is. Both share their limits through PostgreSQL, as they ship.
 *
 * On two cores the load and the upstream need a part of what a second gateway would use, so throughput would measure them.
 * What counts is the CPU time that a request takes of the gateways: as much as with one alone means twice the requests.
 */
import { openScratchDatabase } from '../identity/scratch-database.ts'
import type { Arena } from './arena.ts'
import { figure, load, median, round, runWindow, type Window } from './windows.ts'

const WARM_UP = 30_000
const GOAL = 1.8

export async function compareProcesses(arena: Arena, windows: number): Promise<object> {
  const database = await openScratchDatabase({ transport: 'tcp' })
  const limits = database.urls
  const [first, second] = [await arena.gateway('first', { limits }, 0), await arena.gateway('second', { limits }, 1)]
  try {
    const token = arena.issuer.mint({ scope: 'openid profile read:todos write:other' })
    const traffic = { headers: [`authorization: Bearer ${token}`] }
    const alone = () => runWindow(first, traffic)
    const together = () => Promise.all([runWindow(first, traffic), runWindow(second, traffic)])
    for (let requests = 0; requests < WARM_UP; ) requests += (await together()).reduce((sum, w) => sum + w.requests, 0)

    const one: number[] = []
    const two: number[] = []
    console.log(`load ${load()}\n\nCPU µs per request\nwindow  one     two     (requests of each)`)
    for (let n = 0; n < windows; n++) {
      const both = n % 2 === 0 ? [await alone(), await together()] : [await together(), await alone()].toReversed()
      const [single, pair] = both as [Window, Window[]]
      one.push(single.microseconds)
      two.push(costOf(pair))
      const requests = pair.map((window) => window.requests).join(' and ')
      console.log(
        `${String(n + 1).padEnd(8)}${one.at(-1)!.toFixed(1).padEnd(8)}${two.at(-1)!.toFixed(1).padEnd(8)}(${requests})`,
      )
    }
    const ratio = round((2 * median(one)) / median(two))
    console.log(`two processes ÷ one: ${ratio}; goal at least ${GOAL}: ${ratio >= GOAL ? 'met' : 'MISSED'}`)
    return { claim: 'two processes ÷ one', one: figure(one), two: figure(two), ratio, goal: GOAL }
  } finally {
    // Before the database, or they would complain that it is gone.
    for (const { child } of [first, second]) child.kill('SIGKILL')
    await database.stop()
  }
}

/** Of a request, whichever process served it. */
function costOf(pair: readonly Window[]): number {
  const requests = pair.reduce((sum, window) => sum + window.requests, 0)
  return pair.reduce((sum, window) => sum + window.microseconds * window.requests, 0) / requests
}
