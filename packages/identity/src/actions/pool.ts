import { createHash } from 'node:crypto'
import { planLaunch } from './launch.ts'
import type { RunnerCall } from './runner/messages.ts'
import { type ActionLogger, type CallResult, type RunnerProcess, startRunnerProcess } from './runner-process.ts'

export interface Pool {
  call(environmentId: string, call: Omit<RunnerCall, 'id'>): Promise<CallResult>
  /** The process ids that are up now, for the operator's diagnosis. */
  pids(): number[]
  close(): Promise<void>
}

interface Slot {
  current: Promise<RunnerProcess> | undefined
  running: RunnerProcess | undefined
  failures: number
}

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

/**
 * A fixed number of places for runner processes, started when first needed. An environment always uses the same place:
 * what breaks a process touches only the environments that share it. A process that fails again and again is restarted
 * more and more slowly.
 */
export function createPool(deps: { logger: ActionLogger; processes: number }): Pool {
  const launch = planLaunch()
  const slots: Slot[] = Array.from({ length: deps.processes }, () => ({
    current: undefined,
    running: undefined,
    failures: 0,
  }))
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

  const acquire = async (slot: Slot): Promise<RunnerProcess> => {
    for (;;) {
      slot.current ??= start(slot)
      const starting = slot.current
      try {
        const runner = await starting
        if (runner.usable()) return runner
      } catch (error) {
        slot.failures++
        if (slot.current === starting) slot.current = undefined
        throw error
      }
      if (slot.current === starting) slot.current = undefined
    }
  }

  const slotOf = (environmentId: string): Slot => {
    const hash = createHash('sha256').update(environmentId).digest().readUInt32BE(0)
    return slots[hash % slots.length]!
  }

  return {
    async call(environmentId, call) {
      const slot = slotOf(environmentId)
      for (let attempt = 1; ; attempt++) {
        let runner: RunnerProcess
        try {
          runner = await acquire(slot)
        } catch (error) {
          if (!closed) deps.logger.error({ error }, 'a runner process for Actions cannot be started')
          return { lost: true, retryable: false, detail: 'No runner process could be started.' }
        }
        const result = await runner.call({ ...call, id: nextId++ })
        if (!result.lost) slot.failures = 0
        else if (!runner.usable()) slot.failures++
        if (!result.lost || !result.retryable || attempt === 2 || closed) return result
      }
    },
    pids: () => slots.flatMap((slot) => (slot.running?.usable() ? [slot.running.pid] : [])),
    async close() {
      closed = true
      await Promise.all(slots.map(async (slot) => (await slot.current?.catch(() => undefined))?.close()))
    },
  }
}
