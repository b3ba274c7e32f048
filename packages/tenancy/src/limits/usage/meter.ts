/**
 * What tenants have used, counted for the bill. Three ways, by what a crash may cost:
 *
 * - `count` notes in memory and returns at once; it is written once a second. A process that is killed loses what it noted
 *   since: at most `flushMilliseconds`, and at most `mostBuffered` counts.
 * - `countDurably` resolves when it is written, with the next batch: what was acknowledged is not lost.
 * - `countStatement` is part of the transaction that does the work: counted if and only if the work is done.
 *
 * Nothing is counted twice: a batch carries the meter's number and is applied with it in one statement, so one that is
 * sent again after a lost answer is recognized.
 */
import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { currentIdentity, withoutIdentity } from '../../identity/context.ts'
import { quoted } from '../../postgres/quoted.ts'
import { DEFAULT_SCHEMA } from '../tables.ts'

export interface UsageMeterOptions {
  /** A pool of the limiter's role (see `limitTables`): a batch counts for many tenants. */
  sql: Sql
  /** `tenancy` if left out. */
  schema?: string
  /** How long counts stay in memory (1000). */
  flushMilliseconds?: number
  /** So many different tenants, meters and days are written before that (10,000). */
  mostBuffered?: number
  /** Told of a batch that could not be written, and will be tried again; standard error if left out. */
  log?: (event: { message: string; error: unknown }) => void
  /** Milliseconds since 1970; decides on which day (UTC) something is counted. */
  now?: () => number
}

export interface UsageMeter {
  /**
   * Counts for the tenant for which this runs.
   * @param meter what is counted: letters, digits, `.`, `_` and `-`, at most 64
   * @param amount a whole number, 0 or more
   * @throws IdentityMissing where nobody's identity is known; Error for another meter or amount
   */
  count(meter: string, amount?: number): void
  /** As `count`. @returns when it is written; rejects when the meter was closed before it could be */
  countDurably(meter: string, amount?: number): Promise<void>
  /** Writes what is noted. @returns when all that was noted before is written */
  flush(): Promise<void>
  /** Writes what is noted, and ends. @throws whatever the database says when it cannot be written */
  close(): Promise<void>
}

interface Count {
  readonly tenantId: string
  readonly meter: string
  readonly day: string
  // Of many numbers the sum may be beyond 2^53.
  amount: bigint
}
interface Batch {
  readonly sequence: number
  readonly counts: readonly Count[]
  readonly waiting: readonly PromiseWithResolvers<void>[]
}

/**
 * @example
 * const usage = createUsageMeter({ sql: postgres(limitsUrl) })
 * await withIdentity(identity, async () => {
 *   usage.count('api-calls') // written within a second
 *   await usage.countDurably('reports', 1) // written now
 * })
 */
export function createUsageMeter(options: UsageMeterOptions): UsageMeter {
  const { sql, schema = DEFAULT_SCHEMA, flushMilliseconds = 1_000, mostBuffered = 10_000, now = Date.now } = options
  const log = options.log ?? (({ message, error }) => console.error(`tenancy usage: ${message}`, error))
  const writer = randomUUID()
  let sequence = 0
  let counts = new Map<string, Count>()
  let waiting: PromiseWithResolvers<void>[] = []
  /** Sent, and not known to be written: must be sent again as it is. */
  let pending: Batch | undefined
  let flight: Promise<void> | undefined
  let isClosed = false

  const note = (meter: string, amount: number): void => {
    if (isClosed) throw new Error('The usage meter is closed.')
    checkCount(meter, amount)
    const { tenantId } = currentIdentity()
    const day = new Date(now()).toISOString().slice(0, 10)
    const key = `${day}${meter}\0${tenantId}`
    const count = counts.get(key)
    if (count) {
      count.amount += BigInt(amount)
      return
    }
    counts.set(key, { tenantId, meter, day, amount: BigInt(amount) })
    if (counts.size % mostBuffered === 0) void withoutIdentity(write).catch(() => {})
  }
  /** One batch at a time, in the order of their numbers. */
  const write = async (): Promise<void> => {
    if (pending || counts.size > 0) flight ??= writeAll()
    await flight
  }
  const writeAll = async (): Promise<void> => {
    try {
      while (pending || counts.size > 0) {
        if (!pending) {
          pending = { sequence: ++sequence, counts: [...counts.values()], waiting }
          counts = new Map()
          waiting = []
        }
        await apply(pending)
        for (const { resolve } of pending.waiting) resolve()
        pending = undefined
      }
    } finally {
      flight = undefined
    }
  }
  const apply = async (batch: Batch): Promise<void> => {
    const sorted = batch.counts.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    try {
      await sql`
        with turn as (
          insert into ${sql(`${schema}.usage_writers`)} as w (writer, sequence, at)
          values (${writer}, ${batch.sequence}, now())
          on conflict (writer) do update set sequence = excluded.sequence, at = now()
            where w.sequence < excluded.sequence
          returning w.sequence
        )
        insert into ${sql(`${schema}.usage`)} as u (tenant_id, meter, day, shard, amount)
        select c.tenant_id, c.meter, c.day, 0, c.amount
        from unnest(${sorted.map(({ tenantId }) => tenantId)}::text[], ${sorted.map(({ meter }) => meter)}::text[],
                    ${sorted.map(({ day }) => day)}::text[]::date[],
                    ${sorted.map(({ amount }) => String(amount))}::text[]::bigint[])
             as c (tenant_id, meter, day, amount), turn
        order by c.tenant_id, c.meter, c.day
        on conflict (tenant_id, meter, day, shard) do update set amount = u.amount + excluded.amount`
    } catch (error) {
      log({ message: 'What tenants have used could not be written; it will be tried again.', error })
      throw error
    }
  }

  const ticking = withoutIdentity(() => setInterval(() => void write().catch(() => {}), flushMilliseconds).unref())
  // A meter that has ended, however, never sends a batch again.
  const forgetting = withoutIdentity(() =>
    setInterval(() => {
      void sql`delete from ${sql(`${schema}.usage_writers`)} where at < now() - interval '7 days'`.catch(() => {})
    }, 3_600_000).unref(),
  )
  return {
    count: (meter, amount = 1) => note(meter, amount),
    countDurably(meter, amount = 1) {
      note(meter, amount)
      const written = Promise.withResolvers<void>()
      waiting.push(written)
      // The others of this turn of the event loop travel along.
      withoutIdentity(() => setImmediate(() => void write().catch(() => {})))
      return written.promise
    },
    flush: () => withoutIdentity(write),
    async close() {
      isClosed = true
      clearInterval(ticking)
      clearInterval(forgetting)
      try {
        // The one under way may have failed; this is the last try.
        await flight?.catch(() => {})
        await write()
      } catch (error) {
        for (const { reject } of [...(pending?.waiting ?? []), ...waiting]) reject(error)
        throw error
      }
    },
  }
}

const keyOf = ({ tenantId, meter, day }: Count) => `${tenantId}\0${meter}\0${day}`

const METER = /^[A-Za-z0-9._-]{1,64}$/

function checkCount(meter: string, amount: number): void {
  if (!METER.test(meter)) throw new Error('A meter is named by letters, digits, “.”, “_” and “-”, at most 64.')
  if (!Number.isSafeInteger(amount) || amount < 0) {
    throw new Error(`The meter ${meter} was given ${amount}; it counts whole numbers, 0 or more.`)
  }
}

/**
 * The statement that counts inside the transaction that does the work, for any driver: send it within `inTenant`. Row-level
 * security lets it count for the transaction's tenant only.
 *
 * @throws as `count`
 * @example
 * await withIdentity(identity, () =>
 *   database.inTenant(async (tx) => {
 *     await tx`insert into items values (${tenantId}, '3', 'Hammer')`
 *     const { text, parameters } = countStatement('items-made', 1)
 *     await tx.unsafe(text, parameters)
 *   }),
 * )
 */
export function countStatement(
  meter: string,
  amount = 1,
  options: { schema?: string; now?: () => number } = {},
): { text: string; parameters: string[] } {
  checkCount(meter, amount)
  const day = new Date((options.now ?? Date.now)()).toISOString().slice(0, 10)
  const table = `${quoted(options.schema ?? DEFAULT_SCHEMA)}.usage`
  return {
    text: `insert into ${table} as u (tenant_id, meter, day, shard, amount)
values ($1, $2, $3::text::date, 1 + pg_backend_pid() % 15, $4::text::bigint)
on conflict (tenant_id, meter, day, shard) do update set amount = u.amount + excluded.amount`,
    parameters: [currentIdentity().tenantId, meter, day, String(amount)],
  }
}
