/**
 * Expires what takes longer than one fixed time. All deadlines of a list are equally far away, so they fall due in the
 * order in which they were added: one timer for the oldest replaces a timer per request.
 *
 * A list of its own instead of a `Set`: a set that is always filled and emptied copies itself into larger and larger
 * tables, each of which holds on to the next one. Once one of them was old, the collector kept whole requests of half
 * the traffic until its next full run, a fifth of all time.
 */
export interface Deadlines {
  add(deadline: Deadline): void
  remove(deadline: Deadline): void
}

export interface Deadline {
  at: number
  expire(): void
  /** Its neighbours, while it is pending. */
  earlier: Deadline | null
  later: Deadline | null
}

export function createDeadlines(ms: number): Deadlines {
  let first: Deadline | null = null
  let last: Deadline | null = null
  let isArmed = false

  const arm = (delay: number): void => {
    isArmed = true
    setTimeout(sweep, delay).unref()
  }
  const remove = (deadline: Deadline): void => {
    const { earlier, later } = deadline
    if (earlier !== null) earlier.later = later
    else if (first === deadline) first = later
    else return
    if (later === null) last = earlier
    else later.earlier = earlier
    deadline.earlier = null
    deadline.later = null
  }
  const sweep = (): void => {
    isArmed = false
    while (first !== null) {
      const left = first.at - performance.now()
      if (left > 0) {
        arm(Math.ceil(left))
        return
      }
      const due = first
      remove(due)
      due.expire()
    }
  }

  return {
    add: (deadline) => {
      deadline.at = performance.now() + ms
      deadline.earlier = last
      if (last === null) first = deadline
      else last.later = deadline
      last = deadline
      if (!isArmed) arm(ms)
    },
    remove,
  }
}

/** One list for all integrations of an API that wait as long: of a list for each, a request finds none in any cache. */
export function shareDeadlines(): (ms: number) => Deadlines {
  const lists = new Map<number, Deadlines>()
  return (ms) => {
    const list = lists.get(ms) ?? createDeadlines(ms)
    lists.set(ms, list)
    return list
  }
}
