/**
 * Runs programs of examples, one at a time, in a thread of its own: what they leave open as a service would, such as servers,
 * pools and timers, ends with the thread.
 */
import assert from 'node:assert/strict'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { inspect } from 'node:util'
import { parentPort } from 'node:worker_threads'
import { listen, type Says } from './claims.ts'
import { openDesk } from './desk/open.ts'
import type { Desk } from './desk.ts'
import type { Setup } from './setups/setup.ts'
import { setups } from './setups.ts'

export interface Order {
  name: string
  /** The program's module. */
  url: string
  claims: number
}

/** Neither is good. */
export interface Outcome {
  failure?: string
  skipped?: string
}

const PATIENCE_MS = 180_000
const opening = openDesk()
const port = parentPort!

/** What happens beside the program that runs: a rejection that nobody awaits, an error in a timer. */
let stray: unknown
process.on('uncaughtException', (error) => {
  stray ??= error
})

async function run({ name, url, claims }: Order): Promise<void> {
  const { desk, prepare } = await opening
  const { given, verify } = setupOf(name)
  stray = undefined
  await prepare()
  const names = { ...desk, ...(await given?.(desk)) }
  const { says, reached } = listen()
  const { example } = (await import(url)) as { example(names: Desk, says: Says): Promise<unknown> }
  const made = await example(names, says)
  await verify?.(names, made)
  assert.equal(reached.size, claims, `Of the ${claims} results that it states, ${reached.size} were reached.`)
  await nextTurn()
  if (stray) throw stray
}

const setupOf = (name: string) => ((setups as Record<string, unknown>)[name] ?? {}) as Setup<object>

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  const late = wait(PATIENCE_MS, undefined, { ref: false }).then(() =>
    assert.fail(`It does not end in ${PATIENCE_MS} ms.`),
  )
  return Promise.race([work, late]).then(
    () => ({}),
    (error: unknown) => ({ failure: inspect(error) }),
  )
}

port.on('message', async (order: Order | 'close') => {
  if (order === 'close') return port.postMessage(await outcomeOf(opening.then(({ close }) => close())))
  const { skip } = setupOf(order.name)
  port.postMessage(skip ? { skipped: skip } : await outcomeOf(run(order)))
})
