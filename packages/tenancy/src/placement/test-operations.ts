/**
 * Tenants at random work, honest and not, on shared connections: each transaction is a handful of operations and ends well or
 * badly. What a tenant must find is kept beside it, so one row too many, too few or of somebody else is noticed at once.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { PendingQuery } from 'postgres'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import type { TenantDatabase } from '../postgres/tenant-database.ts'
import { isConnectionLost, type Tx } from '../postgres/transaction.ts'

export interface Operations {
  database: TenantDatabase
  tenantIds: readonly string[]
  total: number
  seed: number
  /** Between transactions now and then, for looking at connections from outside. */
  observe?: () => Promise<void>
}

export interface Tally {
  operations: number
  committed: number
  failed: Record<string, number>
}

type Rows = Map<string, string>
/** How a transaction ends, in hundredths; what is left is COMMIT. */
const ENDINGS = { thrown: 6, cancelled: 3, timeout: 3, unseen: 3, leftBehind: 3, terminated: 0.3 } as const
type Ending = keyof typeof ENDINGS | 'committed'

class Thrown extends Error {}

/** @returns what each tenant has in the end, as it was acknowledged */
export async function runOperations(options: Operations): Promise<{ tally: Tally; rows: Map<string, Rows> }> {
  const { database, tenantIds, total, seed, observe } = options
  const tally: Tally = { operations: 0, committed: 0, failed: {} }
  const rows = new Map<string, Rows>(tenantIds.map((tenantId) => [tenantId, new Map()]))
  let broken = false
  await Promise.all(
    tenantIds
      .map(async (tenantId, position) => {
        const random = randomFrom(seed + position)
        const others = tenantIds.filter((other) => other !== tenantId)
        const inTenant = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
          withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () => database.inTenant(work))
        while (tally.operations < total && !broken) {
          const before = rows.get(tenantId)!
          const after = new Map(before)
          const ending = endingOf(random() * 100)
          try {
            await inTenant(async (tx) => {
              const asked: PromiseLike<unknown>[] = []
              for (let left = 1 + Math.floor(random() * 8); left > 0; left--) {
                tally.operations++
                const operation = anyOf(random, { tenantId, other: others[Math.floor(random() * others.length)]! })
                // One behind the other without waiting, as far as that goes: it is quicker, and drivers can mix it up.
                if (operation.alone) await Promise.all(asked.splice(0))
                asked.push(operation.run(tx, after))
                if (operation.alone) await Promise.all(asked.splice(0))
              }
              await Promise.all(asked)
              await end(tx, ending)
            })
            assert.ok(ending === 'committed' || ending === 'leftBehind', `${ending} was committed`)
            rows.set(tenantId, after)
            tally.committed++
          } catch (error) {
            const reason = reasonOf(error)
            tally.failed[reason] = (tally.failed[reason] ?? 0) + 1
            // Whether a COMMIT arrived whose answer did not is to be found out; nothing in between is possible.
            if (isConnectionLost(error)) {
              const found = await patiently(() => inTenant(list))
              const kept = [before, after].find((expected) => sameRows(found, tenantId, expected))
              assert.ok(kept, `${tenantId} finds neither what was before nor what it wrote`)
              rows.set(tenantId, kept)
            }
          }
          if (observe && random() < 0.02) await observe()
        }
      })
      .map((work) =>
        work.catch((error: unknown) => {
          broken = true
          throw error
        }),
      ),
  )
  return { tally, rows }
}

type Row = { tenantId: string; id: string; name: string }
const list = async (tx: Tx): Promise<Row[]> => [
  ...(await tx<Row[]>`select tenant_id as "tenantId", id, name from shelves order by id`),
]

interface Operation {
  /** It sends its statement at once and notes what will be; fails when the answer is another one. */
  run(tx: Tx, rows: Rows): Promise<unknown>
  /** It needs the connection for itself. */
  alone?: true
}

function anyOf(random: () => number, { tenantId, other }: { tenantId: string; other: string }): Operation {
  const id = String(1 + Math.floor(random() * 20))
  const name = `${tenantId} ${id} ${Math.floor(random() * 1e9)}`
  const changing = async (statement: PendingQuery<Row[]>, count: number) => assert.equal((await statement).count, count)
  const refused = (work: (inner: Tx) => PromiseLike<unknown>, codes: string[]): Operation => ({
    alone: true,
    run: (tx) =>
      assert.rejects(
        tx.savepoint(async (inner) => await work(inner as Tx)),
        (error: { code?: string }) => codes.includes(error.code ?? '') || passing(error),
      ),
  })
  const honest: Operation[] = [
    {
      run(tx, rows) {
        rows.set(id, name)
        const put = tx<Row[]>`insert into shelves values (${tenantId}, ${id}, ${name})
          on conflict (tenant_id, id) do update set name = excluded.name`
        return changing(put, 1)
      },
    },
    {
      // No WHERE that names the tenant: the same id is there for most of them.
      run(tx, rows) {
        const there = rows.has(id)
        if (there) rows.set(id, name)
        return changing(tx`update shelves set name = ${name} where id = ${id}`, there ? 1 : 0)
      },
    },
    { run: (tx, rows) => changing(tx`delete from shelves where id = ${id}`, rows.delete(id) ? 1 : 0) },
    {
      async run(tx, rows) {
        const expected = new Map(rows)
        const found = await list(tx)
        assert.ok(sameRows(found, tenantId, expected), `${tenantId} finds ${JSON.stringify(found)}`)
      },
    },
    {
      async run(tx, { size }) {
        const [row] = await tx<{ count: number }[]>`select count(*)::int as count from shelves`
        assert.equal(row?.count, size)
      },
    },
  ]
  const hostile: Operation[] = [
    { run: (tx) => changing(tx`select from shelves where tenant_id = ${other}`, 0) },
    { run: (tx) => changing(tx`update shelves set name = 'mine' where tenant_id = ${other}`, 0) },
    { run: (tx) => changing(tx`delete from shelves where tenant_id <> ${tenantId}`, 0) },
    refused((inner) => inner`insert into shelves values (${other}, ${id}, 'planted')`, ['42501']),
    refused(
      async (inner) => {
        // Of a row that is there: of none, nothing would be refused.
        await inner`insert into shelves values (${tenantId}, 'own', 'own')`
        await inner`update shelves set tenant_id = ${other} where id = 'own'`
      },
      ['42501'],
    ),
    refused((inner) => inner`truncate shelves`, ['42501']),
    refused((inner) => inner`select 1 / 0`, ['22012']),
    {
      // Another tenant's schema: there and empty, not there, or not to be entered.
      alone: true,
      run: (tx) =>
        tx
          .savepoint(async (inner) =>
            assert.equal((await inner`select from ${inner(`tenant_${other}`)}.shelves`).count, 0),
          )
          .catch((error: { code?: string }) => {
            if (!['42P01', '3F000', '42501'].includes(error.code ?? '')) throw error
          }),
    },
  ]
  const choice = random() < 0.7 ? honest : hostile
  return choice[Math.floor(random() * choice.length)]!
}

async function end(tx: Tx, ending: Ending): Promise<void> {
  if (ending === 'thrown') throw new Thrown()
  if (ending === 'unseen') await tx`select 1 / 0`.catch(() => {})
  // Nobody waits for it; the transaction may be over before it is answered.
  if (ending === 'leftBehind') tx`select name from shelves`.catch(() => {})
  if (ending === 'terminated') await tx`select pg_terminate_backend(pg_backend_pid())`
  if (ending === 'timeout') {
    await tx`select set_config('statement_timeout', '1', true)`
    await tx`select pg_sleep(10)`
  }
  if (ending === 'cancelled') {
    const query = tx`select pg_sleep(10)`
    // A cancellation may be lost on its way; the statement's own time makes an end of it.
    await tx`select set_config('statement_timeout', '500', true)`
    setTimeout(() => query.cancel(), 1)
    await query
  }
}

/** A cancellation that arrives late strikes whatever its session does next: that is PostgreSQL's protocol. */
const passing = (error: { code?: string }) => error.code === '57014' || isConnectionLost(error)

/** @throws the error, unless it is one of those that were asked for */
function reasonOf(error: unknown): string {
  if (error instanceof Thrown) return 'thrown'
  const { code } = error as { code?: unknown }
  if (code === '57014') return 'cancelled'
  if (code === '22012') return 'unseen'
  if (isConnectionLost(error)) return 'lost'
  throw error
}

async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 20 || !passing(error as { code?: string })) throw error
      await delay(20)
    }
  }
}

export const sameRows = (found: readonly Row[], tenantId: string, expected: Rows): boolean =>
  found.length === expected.size && found.every((row) => row.tenantId === tenantId && expected.get(row.id) === row.name)

function endingOf(value: number): Ending {
  let reached = 0
  for (const [ending, share] of Object.entries(ENDINGS) as [Ending, number][]) {
    reached += share
    if (value < reached) return ending
  }
  return 'committed'
}

/** mulberry32: the same numbers for the same seed, so that a failure can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
