/**
 * Gives invocations processes: a warm one of the function when there is one, a new one while there may be more, else
 * the first that falls free. Processes of all functions together are capped, because it is the machine that they share.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { limits } from '../../api.ts'
import { FunctionFailed } from '../functions.ts'
import type { FunctionConfig } from './configuration.ts'
import type { FunctionProcess, LocalInvocation } from './function-process.ts'

export interface PoolOptions {
  readonly maxProcesses: number
  readonly maxWaiting: number
  /** How long a process that has nothing to do is kept. */
  readonly idleMs: number
  readonly start: (config: FunctionConfig, arn: string) => FunctionProcess
}

export interface Pool {
  /** @throws FunctionFailed */
  run(config: FunctionConfig, invocation: LocalInvocation, patience: Patience): Promise<string>
  /** Lets no process that runs the function now take another invocation. */
  retire(config: FunctionConfig): void
  close(): Promise<void>
}

export interface Patience {
  readonly timeoutMs: number
  /** The invocation has got a process. */
  readonly onStart: () => void
}

interface Job {
  readonly config: FunctionConfig
  readonly invocation: LocalInvocation
  readonly onStart: () => void
  readonly settle: (outcome: Promise<string>) => void
}

interface Worker {
  readonly config: FunctionConfig
  readonly process: FunctionProcess
  busy: Promise<unknown> | null
  isRetired: boolean
  idleTimer: NodeJS.Timeout | undefined
}

// Nobody waits for a result any longer.
const graceMs = limits.timeoutMs.max

export function createPool({ idleMs, maxProcesses, maxWaiting, start }: PoolOptions): Pool {
  /** In the order in which they were last used. */
  const workers = new Set<Worker>()
  const waiting = new Set<Job>()
  const leaving = new Set<Promise<void>>()
  let isClosing = false

  const dismiss = (worker: Worker): void => {
    clearTimeout(worker.idleTimer)
    workers.delete(worker)
    const left = worker.process.close()
    leaving.add(left)
    void left.then(() => leaving.delete(left))
  }

  const assign = (worker: Worker, job: Job): void => {
    clearTimeout(worker.idleTimer)
    workers.delete(worker)
    workers.add(worker)
    job.onStart()
    const outcome = worker.process.run(job.invocation)
    worker.busy = outcome.then(
      () => release(worker),
      () => release(worker),
    )
    job.settle(outcome)
  }

  const release = (worker: Worker): void => {
    worker.busy = null
    if (worker.isRetired || !worker.process.isUsable) dismiss(worker)
    else if (idleMs !== Number.POSITIVE_INFINITY) {
      worker.idleTimer = setTimeout(() => dismiss(worker), idleMs)
      worker.idleTimer.unref()
    }
    // In the order of their arrival, whatever function they are for: none of them starves.
    for (const job of waiting) {
      if (!place(job)) return
      waiting.delete(job)
    }
  }

  const place = (job: Job): boolean => {
    // Some end while they have nothing to do.
    for (const worker of [...workers]) if (worker.busy === null && !worker.process.isUsable) dismiss(worker)
    const free = [...workers].filter(({ busy }) => busy === null)
    const warm = free.findLast(({ config }) => config === job.config)
    if (warm !== undefined) {
      assign(warm, job)
      return true
    }
    if (workers.size >= maxProcesses) {
      // One of another function, the one that was not needed for the longest time.
      const [oldest] = free
      if (oldest === undefined) return false
      dismiss(oldest)
    }
    const worker: Worker = {
      config: job.config,
      process: start(job.config, job.invocation.arn),
      busy: null,
      isRetired: false,
      idleTimer: undefined,
    }
    assign(worker, job)
    return true
  }

  return {
    run: (config, invocation, { onStart, timeoutMs }) =>
      new Promise((resolve, reject) => {
        const { name } = config
        if (isClosing)
          return reject(new FunctionFailed('unreachable', `${name} is not run any more: the gateway closes`))
        const timer = setTimeout(() => {
          const never = waiting.delete(job)
          const why = never ? `: all ${maxProcesses} processes were busy` : ''
          reject(new FunctionFailed('timeout', `${name} gave no result within ${timeoutMs} ms${why}`))
        }, timeoutMs)
        const job: Job = {
          config,
          invocation,
          onStart,
          settle: (outcome) => {
            outcome.then(resolve, reject).finally(() => clearTimeout(timer))
          },
        }
        if (place(job)) return
        if (waiting.size < maxWaiting) {
          waiting.add(job)
          return
        }
        clearTimeout(timer)
        reject(new FunctionFailed('unreachable', `${name} cannot be run: ${maxWaiting} invocations wait already`))
      }),
    retire: (config) => {
      for (const worker of [...workers].filter((one) => one.config === config)) {
        worker.isRetired = true
        if (worker.busy === null) dismiss(worker)
      }
    },
    close: async () => {
      isClosing = true
      for (const { invocation, settle } of waiting) {
        settle(Promise.reject(new FunctionFailed('unreachable', `${invocation.arn} was not run: the gateway closes`)))
      }
      waiting.clear()
      const finished = Promise.all([...workers].map(({ busy }) => busy))
      await Promise.race([finished, wait(graceMs, null, { ref: false })])
      for (const worker of [...workers]) dismiss(worker)
      await Promise.all(leaving)
    },
  }
}
