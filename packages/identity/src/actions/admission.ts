interface Room {
  running: number
  queue: { admit: () => void }[]
}

export interface Admission {
  /** Resolves to true when it is this caller's turn, to false when the queue is full or the wait too long. */
  enter(key: string, patienceMs: number): Promise<boolean>
  /** Must follow every `enter` that answered true. */
  leave(key: string): void
}

/**
 * Lets only so many runs of one environment go on at once and queues the next ones in order. Each run holds an isolate
 * of its own: without this, a thousand slow actions of one environment would take the memory of all others.
 */
export function createAdmission(limits: { running: number; waiting: number }): Admission {
  const rooms = new Map<string, Room>()
  return {
    async enter(key, patienceMs) {
      const room = rooms.get(key) ?? { running: 0, queue: [] }
      rooms.set(key, room)
      if (room.running < limits.running) {
        room.running++
        return true
      }
      if (room.queue.length >= limits.waiting) return false
      return new Promise<boolean>((resolve) => {
        const place = {
          admit: () => {
            clearTimeout(timer)
            resolve(true)
          },
        }
        const timer = setTimeout(() => {
          room.queue.splice(room.queue.indexOf(place), 1)
          resolve(false)
        }, patienceMs)
        room.queue.push(place)
      })
    },
    leave(key) {
      const room = rooms.get(key)
      if (!room) return
      // The place is handed on without being freed, so that a newcomer cannot overtake the queue.
      const next = room.queue.shift()
      if (next) return next.admit()
      room.running--
      if (room.running === 0) rooms.delete(key)
    },
  }
}
