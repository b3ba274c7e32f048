import type ivm from 'isolated-vm'
import type { FailureKind } from './messages.ts'

const POLL_MS = 10
const SETTLE_MS = 300

/** Why an isolate was stopped from outside. */
export class Stopped extends Error {
  readonly kind: FailureKind
  constructor(kind: FailureKind, message: string) {
    super(message)
    this.name = 'Stopped'
    this.kind = kind
  }
}

export interface Watch {
  /** Runs one step in the isolate; rejects with `Stopped` when a limit ends it, even if the engine never returns. */
  step<T>(work: () => Promise<T>): Promise<T>
  /** Waits without holding the isolate's thread, under the same wall limit: for a time, for something, or for either. */
  pause(ms: number | undefined, event: Promise<void>): Promise<void>
  /** Ends the watch. Answers whether a stopped thread is still out of control. */
  end(): Promise<boolean>
  /** The engine gave up on the isolate (a fatal out-of-memory parks its thread for ever). */
  catastrophe(): void
}

/**
 * Watches one isolate from the process's main thread, which the guest never occupies. The engine's own `timeout` is not
 * enough: it does not cover code that runs after an await of the host. CPU time is polled, because a wall limit alone
 * kills innocent actions on a busy machine.
 *
 * Measured on isolated-vm 7.0.1: some memory bombs mark the isolate as disposed while their thread runs on and the call
 * never settles. So every step races against this watch, and `end` tells when the thread did not come back.
 */
export function watch(isolate: ivm.Isolate, limits: { cpuMs: number; wallMs: number }): Watch {
  const cpuStart = isolate.cpuTime
  const wallEnd = performance.now() + limits.wallMs
  const cpuLimit = BigInt(Math.round(limits.cpuMs * 1e6))
  let outstanding: Promise<unknown> = Promise.resolve()
  let settled = true
  let stopped: Stopped | undefined
  let reject: (reason: Stopped) => void = () => {}
  const stop = new Promise<never>((_, refuse) => {
    reject = refuse
  })
  stop.catch(() => {})

  const kill = (reason: Stopped): void => {
    if (stopped) return
    stopped = reason
    clearInterval(poll)
    if (!isolate.isDisposed) isolate.dispose()
    reject(reason)
  }
  const memory = () => new Stopped('memory', 'The action used more memory than it is allowed.')

  const poll = setInterval(() => {
    if (isolate.isDisposed) return kill(memory())
    if (isolate.cpuTime - cpuStart > cpuLimit) {
      return kill(new Stopped('timeout', `The action used more than ${limits.cpuMs} ms of CPU time.`))
    }
    if (performance.now() > wallEnd) {
      kill(new Stopped('timeout', `The action ran longer than ${limits.wallMs} ms.`))
    }
  }, POLL_MS)

  return {
    async step<T>(work: () => Promise<T>): Promise<T> {
      try {
        const running = work()
        settled = false
        const settle = () => {
          settled = true
        }
        outstanding = running.then(settle, settle)
        return await Promise.race([running, stop])
      } catch (error) {
        if (error instanceof Stopped) throw error
        if (isolate.isDisposed) throw stopped ?? memory()
        throw error
      }
    },
    async pause(ms, event) {
      let timer: NodeJS.Timeout | undefined
      const waited = new Promise<void>((resolve) => {
        // Node takes a longer wait for none at all; the wall limit comes long before.
        if (ms !== undefined) timer = setTimeout(resolve, Math.min(ms, limits.wallMs))
      })
      try {
        await Promise.race([waited, event, stop])
      } finally {
        clearTimeout(timer)
      }
    },
    async end() {
      clearInterval(poll)
      if (!settled) await Promise.race([outstanding, new Promise((resolve) => setTimeout(resolve, SETTLE_MS))])
      return !settled
    },
    catastrophe: () => kill(memory()),
  }
}
