export interface GuestTimers {
  /** The globals of this file, by name. */
  globals: Record<string, unknown>
  /** Runs what is due. */
  tick(): void
  /** Milliseconds until the next one is due; -1 when there is none. */
  next(): number
}

/**
 * Runs INSIDE the customer's isolate and is passed as text, like `guest`. Timers are a list here and a pause of the host's;
 * one that throws ends the action, as an uncaught exception would.
 */
export function guestTimers(fail: (thrown: unknown) => void): GuestTimers {
  const now = Date.now
  const max = Math.max
  const { apply } = Reflect
  const then = Promise.prototype.then
  const settled = Promise.resolve()
  const TypeErrorHere = TypeError
  const begin = now()
  const timers = new Map<number, { due: number; every: number; call: () => unknown }>()
  const timerSet = timers.set.bind(timers)
  const timerDelete = timers.delete.bind(timers)
  const timerEach = timers.forEach.bind(timers)
  let nextTimer = 1

  const starter =
    (name: string, repeats: boolean) =>
    (call: (...args: unknown[]) => unknown, delay?: unknown, ...args: unknown[]): number => {
      if (typeof call !== 'function') throw new TypeErrorHere(`${name} needs a function`)
      const wait = max(Number(delay) || 0, 0)
      const id = nextTimer++
      timerSet(id, { due: now() + wait, every: repeats ? max(wait, 1) : 0, call: () => call(...args) })
      return id
    }
  const setTimeout = starter('setTimeout', false)
  const stop = (id: unknown): void => {
    timerDelete(id as number)
  }

  return {
    globals: {
      setTimeout,
      setInterval: starter('setInterval', true),
      setImmediate: (call: () => unknown, ...args: unknown[]) => setTimeout(call, 0, ...args),
      clearTimeout: stop,
      clearInterval: stop,
      clearImmediate: stop,
      queueMicrotask: (call: () => unknown): void => {
        if (typeof call !== 'function') throw new TypeErrorHere('queueMicrotask needs a function')
        apply(then, settled, [
          () => {
            try {
              call()
            } catch (thrown) {
              fail(thrown)
            }
          },
        ])
      },
      // To the millisecond: finer clocks measure what others do on the machine.
      performance: { now: () => now() - begin, timeOrigin: begin },
    },
    tick() {
      const due: { id: number; at: number; every: number; call: () => unknown }[] = []
      const time = now()
      timerEach((timer, id) => {
        if (timer.due <= time) due[due.length] = { id, at: timer.due, every: timer.every, call: timer.call }
      })
      for (let index = 0; index < due.length; index++) {
        const { id, every, call } = due[index]!
        timerDelete(id)
        if (every > 0) timerSet(id, { due: time + every, every, call })
        try {
          call()
        } catch (thrown) {
          fail(thrown)
        }
      }
    },
    next() {
      let earliest = -1
      timerEach((timer) => {
        if (earliest < 0 || timer.due < earliest) earliest = timer.due
      })
      return earliest < 0 ? -1 : max(earliest - now(), 0)
    },
  }
}
