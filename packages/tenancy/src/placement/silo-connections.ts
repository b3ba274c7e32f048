/**
 * Connections to many databases, with a bound over all of them. Each connection is a driver of its own (opened with room for
 * one), so that the one which was idle longest can be closed to make room, whatever library it is of.
 *
 * Who waits is served by turns: one transaction of each waiting tenant after the other, each tenant's in their order. A tenant that
 * never stops asking so delays another by one transaction per connection, not for ever.
 */
import type { Driver } from '../postgres/tenant-database.ts'
import { TenantUnavailable } from './refusal.ts'

export interface SiloConnectionsOptions<Transaction> {
  /** A driver for this database, with one connection at the most, as the database's own role. */
  open(database: string): Driver<Transaction>
  /** Open connections at any moment, over all databases. */
  maxConnections: number
  /** At most so many for one database. */
  maxPerDatabase?: number
  /** A connection that nobody used for so long is closed. */
  idleSeconds?: number
  /** Who waited for so long is refused. */
  patienceSeconds?: number
}

export interface SiloConnections<Transaction> {
  /** @throws TenantUnavailable `connections_exhausted` after `patienceSeconds`; whatever `work` throws */
  use<T>(database: string, work: (driver: Driver<Transaction>) => Promise<T>): Promise<T>
  /** Closes idle connections to a database that is left behind. */
  forget(database: string): Promise<void>
  counts(): { open: number; waiting: number }
  end(): Promise<void>
}

interface Connection<Transaction> {
  database: string
  driver: Driver<Transaction>
  /** When it was last given back; undefined while it is in use. */
  idleSince: number | undefined
}

interface Waiter<Transaction> {
  resolve(connection: Connection<Transaction>): void
  reject(error: unknown): void
  timer: NodeJS.Timeout
}

export function createSiloConnections<Transaction>(
  options: SiloConnectionsOptions<Transaction>,
): SiloConnections<Transaction> {
  const { open, maxConnections, maxPerDatabase = 5, idleSeconds = 60, patienceSeconds = 30 } = options
  if (!(maxConnections >= 1)) throw new Error('maxConnections is at least 1.')
  const connections = new Set<Connection<Transaction>>()
  /** A place is taken from before a connection is opened until after it is closed. */
  let places = 0
  let ended = false
  /** In the order of their turns. */
  const waiting = new Map<string, Waiter<Transaction>[]>()

  const idleOf = (database: string) =>
    [...connections].find((connection) => connection.database === database && connection.idleSince !== undefined)
  const countOf = (database: string) =>
    [...connections].reduce((count, connection) => count + (connection.database === database ? 1 : 0), 0)
  const longestIdle = () =>
    [...connections]
      .filter(({ idleSince }) => idleSince !== undefined)
      .sort((a, b) => (a.idleSince ?? 0) - (b.idleSince ?? 0))[0]

  async function close(connection: Connection<Transaction>): Promise<void> {
    connections.delete(connection)
    // A connection that fails to say goodbye is gone all the same.
    await connection.driver.end().catch(() => {})
  }

  /** The next of those who wait for this database, which then stands behind the others. */
  function next(database: string): Waiter<Transaction> | undefined {
    const waiters = waiting.get(database) ?? []
    const waiter = waiters.shift()
    waiting.delete(database)
    if (waiters.length > 0) waiting.set(database, waiters)
    if (waiter) clearTimeout(waiter.timer)
    return waiter
  }

  function serve(): void {
    for (const database of [...waiting.keys()]) {
      const own = idleOf(database)
      if (own) {
        own.idleSince = undefined
        next(database)?.resolve(own)
      } else if (countOf(database) < maxPerDatabase) {
        const room = places < maxConnections
        const leaving = room ? undefined : longestIdle()
        // The next one in turn waits for the next connection that is given back, and nobody passes it.
        if (!room && !leaving) return
        const waiter = next(database)
        if (waiter) replace(leaving, database, waiter)
      }
    }
  }

  function replace(leaving: Connection<Transaction> | undefined, database: string, waiter: Waiter<Transaction>): void {
    const opened = (): void => {
      try {
        const connection: Connection<Transaction> = { database, driver: open(database), idleSince: undefined }
        connections.add(connection)
        waiter.resolve(connection)
      } catch (error) {
        places--
        waiter.reject(error)
      }
    }
    if (!leaving) {
      places++
      opened()
    } else void close(leaving).then(opened)
  }

  function acquire(database: string): Promise<Connection<Transaction>> {
    if (ended) return Promise.reject(new Error('These connections have been closed.'))
    return new Promise((resolve, reject) => {
      const waiter: Waiter<Transaction> = {
        resolve,
        reject,
        timer: setTimeout(() => {
          const left = (waiting.get(database) ?? []).filter((other) => other !== waiter)
          if (left.length > 0) waiting.set(database, left)
          else waiting.delete(database)
          reject(new TenantUnavailable('connections_exhausted'))
        }, patienceSeconds * 1000),
      }
      waiter.timer.unref()
      waiting.set(database, [...(waiting.get(database) ?? []), waiter])
      serve()
    })
  }

  const sweep = setInterval(
    () => {
      const before = performance.now() - idleSeconds * 1000
      for (const connection of [...connections]) {
        if (connection.idleSince === undefined || connection.idleSince > before) continue
        void close(connection).then(() => {
          places--
          serve()
        })
      }
    },
    (idleSeconds * 1000) / 2,
  )
  sweep.unref()

  const closeIdle = (which: (connection: Connection<Transaction>) => boolean) =>
    Promise.all(
      [...connections]
        .filter((connection) => connection.idleSince !== undefined && which(connection))
        .map(async (connection) => {
          await close(connection)
          places--
        }),
    )
  return {
    async use(database, work) {
      const connection = await acquire(database)
      try {
        return await work(connection.driver)
      } finally {
        connection.idleSince = performance.now()
        if (ended) {
          await close(connection)
          places--
        } else serve()
      }
    },
    async forget(database) {
      await closeIdle((connection) => connection.database === database)
      serve()
    },
    counts: () => ({ open: places, waiting: [...waiting.values()].reduce((sum, { length }) => sum + length, 0) }),
    async end() {
      ended = true
      clearInterval(sweep)
      for (const waiters of waiting.values()) {
        for (const waiter of waiters) {
          clearTimeout(waiter.timer)
          waiter.reject(new Error('These connections have been closed.'))
        }
      }
      waiting.clear()
      await closeIdle(() => true)
    },
  }
}
