/** What the driver does when connections die. A proxy stands in between, so that they die at the moment a test needs. */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { identityIfAny, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { postgres } from './driver.ts'
import { createItems, startTestDatabase, type TestDatabase } from './test-database.ts'
import { inScope, isConnectionLost, onceInScope, type Tx } from './transaction.ts'

const [A, B] = ['tenant-a', 'tenant-b'] as const
let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createItems(database, [A, B])
})
after(() => database.close())

interface Proxy {
  port: number
  /** Ends all connections: politely, or with a reset. */
  cut(how: 'end' | 'reset'): void
  /** Refuses new ones until `open`. */
  shut(): void
  open(): void
  /** How often something was sent to the server since the last call: each waits for what was sent before. */
  sent(): number
  close(): void
}

async function startProxy(): Promise<Proxy> {
  const clients = new Set<Socket>()
  let isOpen = true
  let sent = 0
  const server = createServer((client) => {
    if (!isOpen) return void client.resetAndDestroy()
    clients.add(client)
    const upstream = connect(database.address.port, database.address.host)
    client.on('data', () => sent++)
    client.pipe(upstream)
    upstream.pipe(client)
    const part = () => {
      clients.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('close', part).on('error', part)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (how: 'end' | 'reset') => {
    for (const client of clients) how === 'end' ? client.destroy() : client.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    shut: () => {
      isOpen = false
      cut('reset')
    },
    open: () => {
      isOpen = true
    },
    sent: () => {
      const count = sent
      sent = 0
      return count
    },
    close: () => {
      cut('end')
      server.close()
    },
  }
}

const scope = (tenant: string) => ({ 'app.tenant_id': tenant })
const names = async (tx: Tx) =>
  (await tx<{ name: string }[]>`select name from items order by id`).map((row) => row.name)
const lost = (error: unknown) => isConnectionLost(error)

test('a scope costs no round trip: two for a transaction with one statement, and one for a statement by itself', async () => {
  const proxy = await startProxy()
  const sql = database.pool(1, proxy.port)
  const trips = async (work: () => Promise<unknown>): Promise<number> => {
    // Once for what a connection learns: types, and the statements that it prepares.
    await work()
    await work()
    proxy.sent()
    await work()
    return proxy.sent()
  }
  assert.equal(await trips(() => inScope(sql, scope(A), names)), 2)
  assert.equal(await trips(() => onceInScope(sql, scope(A), (tx) => tx`select name from items`)), 1)
  // The driver's own, which knows no scope.
  assert.equal(await trips(() => sql.begin((tx) => tx`select name from items`)), 3)
  proxy.close()
})

test('a transaction that has lost its connection cannot speak in the one that got its successor', async () => {
  const proxy = await startProxy()
  const sql = database.pool(1, proxy.port)
  const entered = Promise.withResolvers<void>()
  const successorWorks = Promise.withResolvers<void>()
  const spoken = Promise.withResolvers<void>()
  let heard: unknown
  const first = inScope(sql, scope(A), async (tx) => {
    await names(tx)
    entered.resolve()
    // Work that needs no database, such as hashing a password, while the connection dies.
    await successorWorks.promise
    heard = await names(tx).catch((error: unknown) => error)
    spoken.resolve()
  })
  const ended = assert.rejects(first, lost)
  await entered.promise
  proxy.cut('end')
  await inScope(sql, scope(B), async (tx) => {
    assert.deepEqual(await names(tx), [`first of ${B}`, `second of ${B}`])
    successorWorks.resolve()
    await spoken.promise
  })
  await ended
  assert.ok(isConnectionLost(heard), `it was answered: ${JSON.stringify(heard)}`)
  proxy.close()
})

test('work that goes on after its connection has died is refused, and does not end the process', async () => {
  const proxy = await startProxy()
  const sql = database.pool(2, proxy.port)
  const again: unknown[] = []
  const done = Promise.withResolvers<void>()
  const work = inScope(sql, scope(A), async (tx) => {
    await names(tx)
    proxy.cut('reset')
    for (let n = 0; n < 5; n++) {
      again.push(await names(tx).catch((error: unknown) => error))
      await delay(n)
    }
    done.resolve()
  })
  await assert.rejects(work, lost)
  await done.promise
  assert.ok(again.every(isConnectionLost), JSON.stringify(again))
  assert.deepEqual(await inScope(sql, scope(B), names), [`first of ${B}`, `second of ${B}`])
  proxy.close()
})

test('every answer belongs to its question while connections die again and again under traffic', async () => {
  const proxy = await startProxy()
  const sql = database.pool(6, proxy.port)
  const ROUNDS = 12
  let rounds = 0
  const tally = { right: 0, lost: 0 }
  const ask = async (worker: number) => {
    for (let n = 0; rounds < ROUNDS; n++) {
      const asked = worker * 1_000_000 + n
      const tenant = n % 2 === 0 ? A : B
      const question = (tx: Tx) =>
        tx<{ asked: number; name: string }[]>`select ${asked}::int as asked, name from items where id = '1'`
      const plain = () =>
        sql<{ asked: number; name: string }[]>`select ${asked}::int as asked, ${`first of ${tenant}`} as name`
      const ways = [() => inScope(sql, scope(tenant), question), () => onceInScope(sql, scope(tenant), question), plain]
      try {
        assert.deepEqual([...(await ways[worker % 3]!())], [{ asked, name: `first of ${tenant}` }])
        tally.right++
        // The worker itself cuts, with its own and the others' statements at whatever point they have reached.
        if (tally.right % 97 === 0) proxy.cut(rounds++ % 2 === 0 ? 'end' : 'reset')
      } catch (error) {
        if (!isConnectionLost(error)) throw error
        tally.lost++
      }
    }
  }
  await Promise.all(Array.from({ length: 12 }, (_, worker) => ask(worker)))
  assert.ok(tally.lost >= ROUNDS, JSON.stringify(tally))
  proxy.close()
})

test('after an outage every connection of the pool serves again, also those that were asked for in vain', async () => {
  const proxy = await startProxy()
  const sql = database.pool(3, proxy.port)
  const read = () => onceInScope(sql, scope(A), (tx) => tx<{ name: string }[]>`select name from items where id = '1'`)
  await Promise.all([read(), read(), read()])
  proxy.shut()
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, read))
  for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && isConnectionLost(outcome.reason))
  proxy.open()
  await delay(100)
  const pids = await Promise.all(
    Array.from({ length: 3 }, () =>
      onceInScope(sql, scope(A), (tx) => tx<{ pid: number }[]>`select pg_backend_pid() as pid, pg_sleep(1)`),
    ),
  )
  assert.equal(new Set(pids.map(([row]) => row?.pid)).size, 3)
  proxy.close()
})

test('a statement whose plan has become invalid is not tried again outside its scope', async () => {
  const { owner, applicationRole } = database
  await owner`create table notes (tenant_id text not null, text text not null)`
  await owner`insert into notes values (${A}, 'one')`
  await owner`alter table notes enable row level security`
  await owner`create policy tenant on notes using (tenant_id = nullif(current_setting('app.tenant_id', true), ''))`
  await owner`grant select on notes to ${owner(applicationRole)}`
  const sql = database.pool(1)
  const read = () => onceInScope(sql, scope(A), (tx) => tx`select * from notes where text <> ${'none'}`)
  assert.equal((await read()).length, 1)
  await owner`alter table notes add column more text`
  await assert.rejects(read(), { code: '0A000' })
  assert.equal((await read()).length, 1)
})

test('N235 rows are handed over as whoever asked for them, whoever opened the connection', async () => {
  const sql = database.pool(1)
  for (const tenantId of [A, B, A]) {
    const met: unknown[] = []
    const meet = () => void met.push(identityIfAny()?.tenantId)
    await withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () =>
      inScope(sql, scope(tenantId), async (tx) => {
        await tx`select name from items`.forEach(meet)
        await tx`select name from items`.cursor(1, meet)
        const copy = await tx`copy (select name from items) to stdout`.readable()
        // A stream's listener runs as whoever emits: the asker or nobody, never whoever came before.
        for (const event of ['data', 'end'])
          copy.on(event, () => assert.notEqual(other(tenantId), identityIfAny()?.tenantId))
        await finished(copy)
      }),
    )
    assert.deepEqual(met, Array(4).fill(tenantId))
  }
})
const other = (tenantId: string) => (tenantId === A ? B : A)

test('a connection goes on after a copy that was read slowly', { timeout: 300_000 }, async () => {
  const sql = await database.pool(1).reserve()
  for (const rows of [1, 1_000, 20_000]) {
    const from = await sql
      .unsafe(`copy (select n, repeat('x', 100) from generate_series(1, ${rows}) n) to stdout`)
      .readable()
    let bytes = 0
    for await (const chunk of from) {
      bytes += (chunk as Buffer).length
      await delay(1)
    }
    assert.ok(bytes > rows * 100)
    assert.equal((await sql`select 1 as one`)[0]?.one, 1)
  }
  sql.release()
})

test('whoever writes a copy hears of it when its end fails, and when its connection dies before', async () => {
  const { owner } = database
  await owner`create table copied (id int primary key)`
  await owner`create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(10); return new; end $$`
  await owner`grant insert on copied to ${owner(database.applicationRole)}`
  const proxy = await startProxy()
  const sql = await database.pool(1, proxy.port).reserve()
  const copy = async (text: string) => pipeline(Readable.from([text]), await sql`copy copied from stdin`.writable())
  await assert.rejects(copy('1\n1\n'), { code: '23505' })
  await copy('1\n2\n')
  assert.equal((await owner`select from copied`).count, 2)

  await owner`create trigger wait before insert on copied for each row execute function wait()`
  const waiting = copy('3\n')
  for (;;) {
    const { count } = await database.application`
      select from pg_stat_activity where query like 'copy copied%' and wait_event = 'PgSleep'`
    if (count > 0) break
  }
  proxy.cut('reset')
  await assert.rejects(waiting, (error) => isConnectionLost(error))
  proxy.close()
  // The server would go on sleeping over a table that is to be dropped.
  await database.application`select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy copied%'`
  await owner`drop table copied`
})

test('statements that are cancelled before they were sent, or while they wait for their turn, hold up nobody', async () => {
  const sql = database.pool(1)
  const cancelled = { code: '57014' }
  const work = (tx: Tx) => {
    const early = tx`select pg_sleep(60)`
    early.cancel()
    return Promise.all([
      assert.rejects(async () => await early, cancelled),
      ...Array.from({ length: 300 }, async (_, n) => {
        // More than the driver sends ahead, so that some of them wait.
        const query = tx`select ${n}::int as n`.execute()
        if (n % 3 !== 0) return assert.deepEqual([...(await query)], [{ n }])
        await query.cancel()
        // Whether it was too late for it is a matter of luck; what it cost the others is not.
        await query.catch((error: unknown) => assert.deepEqual((error as { code: string }).code, '57014'))
      }).map((one) => one.catch((error: { code?: string }) => assert.match(String(error.code), /^(57014|25P02)$/))),
    ])
  }
  await inScope(sql, scope(A), work).catch((error: { code?: string }) => assert.equal(error.code, '57014'))
  assert.deepEqual(await inScope(sql, scope(B), names), [`first of ${B}`, `second of ${B}`])
  await sql
    .begin(async (tx) => {
      const early = tx`select pg_sleep(60)`
      early.cancel()
      await early.catch(() => {})
    })
    .catch((error: { code?: string }) => assert.equal(error.code, '57014'))
  assert.deepEqual(await inScope(sql, scope(A), names), [`first of ${A}`, `second of ${A}`])
})

test('the first transaction of a pool that asks for no types finds its connection', async () => {
  const { user, pass, database: name } = database.application.options
  const sql = postgres({
    ...{ ...database.address, user, password: pass as unknown as string, database: name, max: 1 },
    fetch_types: false,
    connection: { search_path: database.schema },
  }) as unknown as Sql
  assert.deepEqual(await inScope(sql, scope(A), names), [`first of ${A}`, `second of ${A}`])
  await sql.end()
})

test('an ordinary transaction of the driver that is over does not speak in the next one on its connection', async () => {
  const sql = database.pool(1)
  let leaked: Tx | undefined
  await sql.begin(async (tx) => {
    leaked = tx as unknown as Tx
  })
  await inScope(sql, scope(B), async (tx) => {
    await names(tx)
    await assert.rejects(names(leaked!), { code: 'TRANSACTION_OVER' })
  })
})

test('a statement that is cancelled in the queue of its connection leaves every answer with its question', async () => {
  const sql = database.pool(1)
  await sql`select 1`
  for (let round = 0; round < 5; round++) {
    const queries = Array.from({ length: 60 }, (_, n) => sql<{ n: number }[]>`select ${n}::int as n`.execute())
    // The statements are on their way, one behind the other, and none has been answered.
    await Promise.resolve()
    const cancels = queries.filter((_, n) => n % 7 === 3).map((query) => query.cancel() as unknown as Promise<void>)
    const answers = await Promise.allSettled(queries)
    await Promise.all(cancels)
    for (const [n, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') assert.deepEqual([...answer.value], [{ n }])
      else assert.equal((answer.reason as { code?: string }).code, '57014')
    }
  }
})

test('a pool with idle connections searches no more of them after many statements than at first', async (t) => {
  const sql = database.pool(4)
  await Promise.all([1, 2, 3, 4].map(() => sql`select pg_sleep(0.1)`))
  const original = Array.prototype.indexOf
  let longest = 0
  t.after(() => {
    Array.prototype.indexOf = original
  })
  Array.prototype.indexOf = function (this: unknown[], ...wanted: [unknown, number?]) {
    longest = Math.max(longest, this.length)
    return original.apply(this, wanted)
  }
  for (let n = 0; n < 1000; n++) await sql`select 1`
  assert.ok(longest > 0 && longest < 100, `${longest} elements were searched`)
})
