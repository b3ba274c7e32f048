/**
 * The outbox: an event is a row, written in the transaction that makes it true, and delivered afterwards. So there is no
 * event of what did not happen, and none is missing of what did. A process that dies between delivery and its record delivers
 * again: hence at least once, with an id by which the other side drops what it has seen.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Sql, TransactionSql } from 'postgres'
import { type EventName, type LifecycleEvent, sourceOf } from './events.ts'

export interface NewEvent {
  tenantId: string
  name: EventName
  detail?: Record<string, unknown>
  /** What makes the event the same if it is written again; written once for each. A random one if left out. */
  cause?: string
}

/**
 * Writes an event in the transaction of what it tells of. Events of one tenant are ordered by their commits: whoever writes
 * the second waits here until the first one's transaction has ended.
 *
 * @param tx a transaction in the control plane's database
 * @example
 * await control.begin(async (tx) => {
 *   await tx`insert into users (id, tenant) values ('auth0|anna', ${tenantId})`
 *   await emit(tx, 'control', { tenantId, name: 'tenantUserCreated', detail: { userId: 'auth0|anna' } })
 * })
 */
export async function emit(tx: TransactionSql, schema: string, event: NewEvent): Promise<void> {
  const id = event.cause === undefined ? randomUUID() : uuidOf(event.cause)
  // Positions are given out when a row is inserted, not when it is committed; without the lock a later one could be seen first.
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${schema} outbox ${event.tenantId}`}, 0))`
  await tx`
    insert into ${tx(schema)}.outbox (id, tenant, name, detail)
    values (${id}, ${event.tenantId}, ${event.name}, ${tx.json((event.detail ?? {}) as never)})
    on conflict (id) do nothing`
}

const uuidOf = (text: string): string =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')

export interface DispatchOptions {
  sql: Sql
  schema: string
  /** Brings an event to where it is wanted; rejects if it did not get there. Longer than `leaseSeconds`, and another tries too. */
  deliver(event: LifecycleEvent): Promise<void>
  /** At most this many at once, of as many tenants. */
  batch?: number
  leaseSeconds?: number
  /** Until the next try of an event that was tried `attempts` times; 1 s, 2 s, 4 s … up to five minutes if left out. */
  retryDelaySeconds?: (attempts: number) => number
  onError?: (error: unknown, event: LifecycleEvent) => void
}

/**
 * Delivers what waits, each tenant's events in their order: the next one of a tenant goes out after the one before has
 * arrived, while other tenants' events pass. Any number of processes may do this at once.
 *
 * @returns how many were delivered
 * @example
 * await dispatchEvents({ sql: control, schema: 'control', deliver: (event) => bus.send(event) }) // → 1
 */
export async function dispatchEvents(options: DispatchOptions): Promise<number> {
  let delivered = 0
  for (;;) {
    const lease = randomUUID()
    const claimed = await claim(options, lease)
    if (claimed.length === 0) return delivered
    const arrived = await Promise.all(claimed.map((row) => bring(options, lease, row)))
    delivered += arrived.filter(Boolean).length
  }
}

interface Row {
  position: string
  attempts: number
  id: string
  tenant: string
  name: EventName
  detail: Record<string, unknown>
  at: Date
}

const claim = ({ sql, schema, batch = 20, leaseSeconds = 60 }: DispatchOptions, lease: string) => sql<Row[]>`
  update ${sql(schema)}.outbox
  set lease = ${lease}, lease_until = clock_timestamp() + ${leaseSeconds} * interval '1 second', attempts = attempts + 1
  where position in (
    select o.position from ${sql(schema)}.outbox o
    where o.delivered_at is null and o.attempt_after <= clock_timestamp()
      and (o.lease_until is null or o.lease_until <= clock_timestamp())
      and not exists (select from ${sql(schema)}.outbox earlier
        where earlier.tenant = o.tenant and earlier.delivered_at is null and earlier.position < o.position)
    order by o.position limit ${batch} for update skip locked)
  returning position::text, attempts, id, tenant, name, detail, at`

async function bring(options: DispatchOptions, lease: string, row: Row): Promise<boolean> {
  const { sql, schema, retryDelaySeconds = (attempts) => Math.min(300, 2 ** (attempts - 1)) } = options
  const { id, tenant: tenantId, name, detail, at } = row
  const event: LifecycleEvent = { id, tenantId, source: sourceOf(name), name, detail, at }
  try {
    await options.deliver(event)
  } catch (error) {
    options.onError?.(error, event)
    await sql`
      update ${sql(schema)}.outbox set lease = null, lease_until = null,
        attempt_after = clock_timestamp() + ${retryDelaySeconds(row.attempts)} * interval '1 second'
      where position = ${row.position} and lease = ${lease}`
    return false
  }
  await sql`
    update ${sql(schema)}.outbox set delivered_at = clock_timestamp(), lease = null, lease_until = null
    where position = ${row.position} and lease = ${lease}`
  return true
}

/**
 * Delivers whatever comes, until it is stopped. Failures are told to `onError`, or to nobody.
 * @returns what stops it, after the deliveries that are under way
 */
export function startDispatcher(
  options: DispatchOptions & { everySeconds?: number; onFailure?: (error: unknown) => void },
): { stop(): Promise<void> } {
  let stopped = false
  let wake = () => {}
  const run = async () => {
    while (!stopped) {
      await dispatchEvents(options).catch((error: unknown) => options.onFailure?.(error))
      if (stopped) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, (options.everySeconds ?? 1) * 1000)
        timer.unref()
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const running = run()
  return {
    async stop() {
      stopped = true
      wake()
      await running
    },
  }
}
