/**
 * Expires what takes longer than one fixed time. All deadlines of an integration are equally far away, so they fall due
 * in the order in which they were added: one timer for the oldest replaces a timer per request.
 */
export interface Deadlines {
  add(deadline: Deadline): void
  remove(deadline: Deadline): void
}

export interface Deadline {
  at: number
  expire(): void
}

export function createDeadlines(ms: number): Deadlines {
  const pending = new Set<Deadline>()
  let isArmed = false

  const arm = (delay: number): void => {
    isArmed = true
    setTimeout(sweep, delay).unref()
  }
  const sweep = (): void => {
    isArmed = false
    for (const deadline of pending) {
      const left = deadline.at - performance.now()
      if (left > 0) {
        arm(Math.ceil(left))
        return
      }
      pending.delete(deadline)
      deadline.expire()
    }
  }

  return {
    add: (deadline) => {
      deadline.at = performance.now() + ms
      pending.add(deadline)
      if (!isArmed) arm(ms)
    },
    remove: (deadline) => void pending.delete(deadline),
  }
}
