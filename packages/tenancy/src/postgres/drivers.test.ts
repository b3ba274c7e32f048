/** What the kit promises of a tenant's transaction, for every driver, straight to the server and through a pooler. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { createItems, startTestDatabase, type TestDatabase } from './test-database.ts'
import { type Opened, type Subject, subjects, type Target, type Words } from './test-drivers.ts'
import { findPgBouncer, type Pooler, startPooler } from './test-pooler.ts'

const ids = Array.from({ length: 60 }, (_, n) => `tenant${String(n).padStart(18, '0')}`)
const [A, B] = ids as [string, string]
const ownNames = (tenantId: string) => [`first of ${tenantId}`, `second of ${tenantId}`]

let database: TestDatabase
let direct: Omit<Target, 'max'>
before(async () => {
  database = await startTestDatabase()
  await createItems(database, ids)
  const { owner, applicationRole } = database
  await owner`create table wide (tenant_id text not null, id bigint not null, name text not null, primary key (tenant_id, id))`
  await owner`alter table wide enable row level security`
  await owner`alter table wide force row level security`
  await owner`create policy tenant on wide
    using      (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''))`
  await owner`grant select, insert, delete on wide to ${owner(applicationRole)}`
  // As everybody may in a database that nobody has taken it away in.
  await owner`grant temporary on database ${owner(database.application.options.database)} to ${owner(applicationRole)}`
  const { user, pass, database: name } = database.application.options
  const password = typeof pass === 'string' ? pass : ''
  direct = { ...database.address, user, password, database: name, schema: database.schema, throughPooler: false }
})
after(async () => {
  const { owner, application, applicationRole } = database
  await owner`revoke temporary on database ${owner(application.options.database)} from ${owner(applicationRole)}`
  await database.close()
})

const inTenant = <T>(opened: Opened, tenantId: string, work: (words: Words) => Promise<T>): Promise<T> =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () =>
    opened.database.inTenant((tx) => work(opened.words(tx))),
  )
const read = (opened: Opened, tenantId: string) => inTenant(opened, tenantId, (words) => words.names())

/** Until the driver has noticed that a connection died: it may say so to whoever asks first. */
async function heardOf(opened: Opened): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    if (await read(opened, B).catch(() => undefined)) return
    await later(10)
  }
}

/** ORMs wrap what the server said; the reason is somewhere inside. */
function reasons(error: unknown): string {
  const parts: string[] = []
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, meta } = each as { code?: unknown; meta?: unknown }
    parts.push(each.message, String(code ?? ''), JSON.stringify(meta ?? ''))
  }
  return parts.join(' ')
}
const because = (reason: RegExp) => (error: unknown) => {
  assert.match(reasons(error), reason)
  return true
}
const REFUSED = /row-level security/

function promises(subject: Subject, target: () => Omit<Target, 'max'>): void {
  const opening = async (max: number, work: (opened: Opened) => Promise<void>, more: Partial<Target> = {}) => {
    const opened = await subject.open({ ...target(), max, ...more })
    try {
      await work(opened)
    } finally {
      await opened.end()
    }
  }

  test('a query without a WHERE sees one tenant, and two tenants may hold the same ids', () =>
    opening(2, async (opened) => {
      assert.deepEqual(await read(opened, A), ownNames(A))
      assert.deepEqual(await read(opened, B), ownNames(B))
      for (const tenantId of [A, B]) {
        await inTenant(opened, tenantId, (words) => words.insert(tenantId, 'same', 'shared id'))
        assert.deepEqual(await read(opened, tenantId), [...ownNames(tenantId), 'shared id'])
      }
      for (const tenantId of [A, B]) {
        await inTenant(opened, tenantId, (words) => words.run(`delete from items where id = 'same'`))
        assert.deepEqual(await read(opened, tenantId), ownNames(tenantId))
      }
    }))

  test('another tenant’s rows cannot be changed, deleted, taken over or written', () =>
    opening(1, async (opened) => {
      assert.equal(await inTenant(opened, A, (words) => words.rename(B, 'mine')), 0)
      assert.equal(await inTenant(opened, A, (words) => words.remove(B)), 0)
      // B's row '1' exists and '9' does not: the answers must not differ.
      for (const id of ['9', '1']) {
        await assert.rejects(
          inTenant(opened, A, (words) => words.insert(B, id, 'planted')),
          because(REFUSED),
        )
      }
      await assert.rejects(
        inTenant(opened, A, (words) => words.run(`update items set tenant_id = '${B}'`)),
        because(REFUSED),
      )
      for (const tenantId of [A, B]) assert.deepEqual(await read(opened, tenantId), ownNames(tenantId))
    }))

  test('N223 the client itself sees no row, outside and inside of inTenant', () =>
    opening(3, async (opened) => {
      const nothing = async () => {
        assert.deepEqual(await opened.outside.names(), [])
        assert.equal(await opened.outside.rename(A, 'x'), 0)
        await assert.rejects(opened.outside.insert(A, '9', 'x'), because(REFUSED))
        await opened.bare(async (words) => assert.deepEqual(await words.names(), []))
      }
      await nothing()
      assert.deepEqual(await read(opened, A), ownNames(A))
      await nothing()
      await inTenant(opened, A, async (words) => {
        assert.deepEqual(await words.names(), ownNames(A))
        assert.deepEqual(await opened.outside.names(), [])
        assert.deepEqual(await words.names(), ownNames(A))
      })
    }))

  test('what a tenant’s transaction leaves on its connection is gone before the next one: temporary tables, held cursors, LISTEN', () =>
    opening(1, async (opened) => {
      await inTenant(opened, A, async ({ run }) => {
        await run('create temporary table items as select * from items')
        await run('declare kept cursor with hold for select name from items')
        await run('listen news')
      })
      assert.deepEqual(await read(opened, B), ownNames(B))
      const left = await inTenant(opened, B, (words) =>
        words.run(`select name from pg_cursors where name = 'kept' union all select pg_listening_channels()`),
      )
      assert.deepEqual([...(left as Iterable<unknown>)], [])
    }))

  test('N223 a setting that names nobody opens nothing: empty, blank, unknown, a pattern, another spelling of an id', () =>
    opening(1, async (opened) => {
      const nobody = [
        '',
        ' ',
        '\t',
        'null',
        'unknown',
        '%',
        '_',
        '*',
        `${A} `,
        ` ${A}`,
        A.toUpperCase(),
        A.slice(0, -1),
        `${A},${B}`,
      ]
      for (const value of nobody) {
        for (const table of ['items', 'wide']) {
          const scoped = (statement: string) =>
            opened.bare(async (words) => {
              await words.run(`select set_config('app.tenant_id', '${value}', true)`)
              return Array.from((await words.run(statement)) as object[])
            })
          const about = `${table} as ${JSON.stringify(value)}`
          assert.deepEqual(await scoped(`select name from ${table}`), [], about)
          assert.deepEqual(await scoped(`delete from ${table} returning name`), [], about)
          const row = `'${A}', '${table === 'items' ? 'stray' : '7'}', 'planted'`
          await assert.rejects(
            scoped(`insert into ${table} (tenant_id, id, name) values (${row})`),
            because(REFUSED),
            about,
          )
        }
      }
      for (const tenantId of [A, B]) assert.deepEqual(await read(opened, tenantId), ownNames(tenantId))
    }))

  test('N224 RESET ROLE, SET ROLE and RESET SESSION AUTHORIZATION inside the transaction gain nothing', () =>
    opening(1, async (opened) => {
      for (const statement of ['reset role', 'set local role none', 'reset session authorization']) {
        await inTenant(opened, A, async (words) => {
          await words.run(statement)
          assert.deepEqual(await words.names(), ownNames(A))
        })
      }
      const [{ role }] = (await database.owner`select current_user::text as role`) as unknown as [{ role: string }]
      await assert.rejects(
        inTenant(opened, A, (words) => words.run(`set local role "${role}"`)),
        because(/permission denied to set role/),
      )
      assert.deepEqual(await read(opened, B), ownNames(B))
    }))

  test('N226 after an error, a cancelled statement, a timeout and the application’s own error the next tenant sees his rows', () =>
    opening(1, async (opened) => {
      const failures: [RegExp, (words: Words) => Promise<unknown>][] = [
        [/division by zero/, (words) => words.run('select 1 / 0')],
        [
          /canceling statement due to statement timeout/,
          async (words) => {
            await words.run('set local statement_timeout = 20')
            await words.run('select pg_sleep(5)::text')
          },
        ],
        [
          /canceling statement due to user request/,
          async (words) => {
            const [{ pid }] = (await words.run('select pg_backend_pid() as pid')) as [{ pid: number }]
            const sleeping = words.run('select pg_sleep(20)::text')
            sleeping.catch(() => {})
            for (;;) {
              const sent = await database.application`
                select pg_cancel_backend(pid) from pg_stat_activity where pid = ${pid} and query like 'select pg_sleep(20)%'`
              if (sent.count > 0) break
            }
            await sleeping
          },
        ],
        [
          /the application failed/,
          async (words) => {
            await words.insert(A, '3', 'undone')
            throw new Error('the application failed')
          },
        ],
      ]
      for (const [reason, work] of failures) {
        await assert.rejects(inTenant(opened, A, work), because(reason))
        const left = await opened.outside.run(
          `select coalesce(nullif(current_setting('app.tenant_id', true), ''), 'nobody') as tenant`,
        )
        assert.match(JSON.stringify(left), /"tenant":"nobody"/)
        assert.deepEqual(await read(opened, B), ownNames(B))
      }
      assert.deepEqual(await read(opened, A), ownNames(A))
    }))

  test('N226 a connection that dies in mid-transaction or while idle is replaced, and the next tenant sees his rows', () =>
    opening(1, async (opened) => {
      const die = `select pg_terminate_backend(pg_backend_pid())`
      await assert.rejects(inTenant(opened, A, (words) => words.run(die)))
      if (subject.speaksAhead) await heardOf(opened)
      assert.deepEqual(await read(opened, B), ownNames(B))
      const pid = await inTenant(opened, A, async (words) => {
        const [row] = (await words.run('select pg_backend_pid() as pid')) as [{ pid: number }]
        return row.pid
      })
      await database.application`select pg_terminate_backend(${pid})`
      if (subject.speaksAhead) await heardOf(opened)
      assert.deepEqual(await read(opened, B), ownNames(B))
    }))

  test('N232 the same prepared statement serves A, then B, again and again', () =>
    opening(1, async (opened) => {
      for (let round = 0; round < 8; round++) {
        for (const tenantId of [A, B]) {
          assert.deepEqual(await inTenant(opened, tenantId, (words) => words.prepared()), ownNames(tenantId))
        }
      }
    }))

  test('N244 ids beyond 2^53 that differ by one stay two, each with its own row', () =>
    opening(1, (opened) =>
      inTenant(opened, A, async (words) => {
        for (const n of [2, 3]) {
          await words.run(`insert into wide values ('${A}', 9007199254740990 + ${n}, 'row ${n}')`)
        }
        const found = (await words.run('select id, name from wide order by id')) as { id: unknown; name: string }[]
        assert.deepEqual(
          found.map(({ id, name }) => [String(id), name]),
          [
            ['9007199254740992', 'row 2'],
            ['9007199254740993', 'row 3'],
          ],
        )
        for (const { id, name } of found) {
          assert.deepEqual(
            Array.from((await words.run(`select name from wide where id = ${id}`)) as object[], Object.entries),
            [[['name', name]]],
          )
        }
        await words.run('delete from wide')
      }),
    ))

  test('savepoints keep the scope: what failed inside is undone, what comes after still sees one tenant', () =>
    opening(1, async (opened) => {
      await inTenant(opened, A, async (words) => {
        if (!words.nested) {
          await words.run('savepoint a')
          await assert.rejects(words.insert(B, '9', 'x'), because(REFUSED))
          await words.run('rollback to savepoint a')
          assert.deepEqual(await words.names(), ownNames(A))
          return
        }
        await words.nested(async (inner) => {
          await inner.insert(A, '3', 'third')
          assert.deepEqual(await inner.names(), [...ownNames(A), 'third'])
        })
        await assert.rejects(
          words.nested(async (inner) => {
            await inner.remove(A)
            assert.deepEqual(await inner.names(), [])
            throw new Error('inside')
          }),
          because(/inside/),
        )
        assert.deepEqual(await words.names(), [...ownNames(A), 'third'])
        await words.run(`delete from items where id = '3'`)
      })
      assert.deepEqual(await read(opened, B), ownNames(B))
    }))

  test('N226 60 tenants interleaved on 4 connections, with errors between, each see their own rows', () =>
    opening(4, async (opened) => {
      const seen = await Promise.all(
        Array.from({ length: 300 }, async (_, n) => {
          const tenantId = ids[(n * 7) % ids.length]!
          const rows = await inTenant(opened, tenantId, async (words) => {
            const first = await words.names()
            if (n % 5 === 0) throw Object.assign(new Error('carried'), { rows: first })
            if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, n % 4))
            assert.deepEqual(await words.names(), first)
            return first
          }).catch((error: { rows?: string[] }) => error.rows)
          return [tenantId, rows] as const
        }),
      )
      for (const [tenantId, rows] of seen) assert.deepEqual(rows, ownNames(tenantId))
    }))

  test('a transaction that is over serves nobody', () =>
    opening(1, async (opened) => {
      let leaked: Words | undefined
      await inTenant(opened, A, async (words) => {
        leaked = words
        await words.names()
      })
      // Its connection works for B by now.
      await inTenant(opened, B, async (words) => {
        await words.names()
        assert.deepEqual(await Promise.race([leaked!.names().catch(() => []), later(100).then(() => [])]), [])
        assert.deepEqual(await words.names(), ownNames(B))
      })
    }))

  test('relations without protection stop the work, by name', () =>
    opening(1, async (opened) => {
      await database.owner`create table forgotten (tenant_id text)`
      try {
        await assert.rejects(read(opened, A), /forgotten \(row_security_disabled, row_security_not_forced, no_policy\)/)
      } finally {
        await database.owner`drop table forgotten`
      }
      assert.deepEqual(await read(opened, A), ownNames(A))
    }))
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

for (const subject of subjects) describe(subject.name, () => promises(subject, () => direct))

const pgbouncer = findPgBouncer()
describe('through pgbouncer, a transaction each', { skip: pgbouncer ? false : 'pgbouncer is not installed' }, () => {
  let pooler: Pooler
  before(async () => {
    const { host, port, schema, user, password } = direct
    pooler = await startPooler(pgbouncer!, {
      server: { host, port },
      searchPath: schema,
      logins: [{ role: user, password }],
      sessions: 3,
    })
  })
  after(() => pooler.close())
  for (const subject of subjects) {
    describe(subject.name, () => promises(subject, () => ({ ...direct, ...pooler.address, throughPooler: true })))
  }
})
