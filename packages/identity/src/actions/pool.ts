import { createHash } from 'node:crypto'
import { planLaunch } from './launch.ts'
import type { RunCalls } from './outside/outside.ts'
import type { PartSource, RunnerCall } from './runner/messages.ts'
import { type ActionLogger, type CallResult, type RunnerProcess, startRunnerProcess } from './runner-process.ts'

export interface PoolCall extends Omit<RunnerCall, 'id' | 'parts'> {
  sources: readonly PartSource[]
  /** Makes the calls to the outside of one run. */
  outside(): RunCalls
}

export interface Pool {
  /** Waits at most `patienceMs` for a process to come up. */
  call(environmentId: string, call: PoolCall, patienceMs: number): Promise<CallResult>
  /** The process ids that are up now, for the operator's diagnosis. */
  pids(): number[]
  close(): Promise<void>
}

interface Slot {
  current: Promise<RunnerProcess> | undefined
  running: RunnerProcess | undefined
  failures: number
}

/** How long an environment whose action ruined a process runs apart from the others. */
const APART_MS = 10 * 60_000
const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

/**
 * A fixed number of places for runner processes, started when first needed. An environment always uses the same place:
 * what breaks a process touches only the environments that share it, and whose action broke one runs in a place apart for
 * a while. A process that fails again and again is restarted more and more slowly.
 */
export function createPool(deps: { logger: ActionLogger; processes: number }): Pool {
  const launch = planLaunch()
  const newSlot = (): Slot => ({ current: undefined, running: undefined, failures: 0 })
  const slots = Array.from({ length: deps.processes }, newSlot)
  const apart = newSlot()
  const apartUntil = new Map<string, number>()
  let warned = false
  let closed = false
  let nextId = 1

  const start = async (slot: Slot): Promise<RunnerProcess> => {
    if (launch.warning && !warned) {
      warned = true
      deps.logger.warn({}, launch.warning)
    }
    if (slot.failures > 0) {
      const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (slot.failures - 1))
      await new Promise((resolve) => setTimeout(resolve, delay))
    }
    if (closed) throw new Error('the pool is closed')
    slot.running = await startRunnerProcess(launch, deps.logger)
    return slot.running
  }

  /** Once per process, however many calls notice. */
  const giveUp = (slot: Slot, which: Promise<RunnerProcess>): void => {
    if (slot.current !== which) return
    slot.current = undefined
    slot.failures++
  }

  const acquire = async (slot: Slot): Promise<RunnerProcess> => {
    for (;;) {
      slot.current ??= start(slot)
      const starting = slot.current
      try {
        const runner = await starting
        if (runner.usable()) return runner
      } catch (error) {
        giveUp(slot, starting)
        throw error
      }
      giveUp(slot, starting)
    }
  }

  const slotOf = (environmentId: string): Slot => {
    const until = apartUntil.get(environmentId)
    if (until !== undefined && until > performance.now()) return apart
    apartUntil.delete(environmentId)
    const hash = createHash('sha256').update(environmentId).digest().readUInt32BE(0)
    return slots[hash % slots.length]!
  }

  return {
    async call(environmentId, { sources, outside, ...call }, patienceMs) {
      const parts = sources.map(({ name }) => name)
      const slot = slotOf(environmentId)
      const deadline = performance.now() + patienceMs
      for (let attempt = 1; ; attempt++) {
        let runner: RunnerProcess
        try {
          runner = await within(deadline - performance.now(), acquire(slot))
        } catch (error) {
          if (!closed) deps.logger.error({ error }, 'a runner process for Actions cannot be started')
          return { lost: true, retryable: false, guilty: false, detail: 'No runner process could be started.' }
        }
        const result = await runner.call({ ...call, parts, id: nextId++ }, sources, outside())
        if (result.lost ? result.guilty : result.reply.tainted)
          apartUntil.set(environmentId, performance.now() + APART_MS)
        if (!result.lost && !result.reply.tainted) slot.failures = 0
        if (!result.lost || !result.retryable || attempt === 2 || closed) return result
      }
    },
    pids: () => [...slots, apart].flatMap((slot) => (slot.running?.usable() ? [slot.running.pid] : [])),
    async close() {
      closed = true
      await Promise.all([...slots, apart].map(async (slot) => (await slot.current?.catch(() => undefined))?.close()))
    },
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no runner process was ready in time')), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
