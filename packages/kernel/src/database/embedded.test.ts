import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Problem } from '../problem.ts'
import { connect, createDatabase } from './database.ts'
import { type EmbeddedPostgres, startEmbedded } from './embedded.ts'

const isRoot = process.getuid?.() === 0
const writer = fileURLToPath(import.meta.resolve('./embedded/testdata/writer.ts'))

describe('the embedded PostgreSQL', () => {
  const directories: string[] = []
  const running: EmbeddedPostgres[] = []
  after(async () => {
    await Promise.all(running.map((postgres) => postgres.stop()))
    for (const directory of directories) rmSync(directory, { recursive: true, force: true })
  })
  const makeDirectory = () => {
    const directory = mkdtempSync('/tmp/tenantry-embedded-')
    // mkdtemp makes 0700; the account that PostgreSQL runs as must be able to pass.
    chmodSync(directory, 0o711)
    directories.push(directory)
    return directory
  }
  const template = makeDirectory()
  before(async () => (await startEmbedded({ directory: template })).stop())
  /** A directory with a database in it, copied from one: creating each would take most of the time of these tests. */
  const copyDirectory = (directory = makeDirectory()) => {
    mkdirSync(directory, { recursive: true, mode: 0o711 })
    assert.equal(spawnSync('cp', ['-a', `${template}/data`, `${template}/passwords.json`, directory]).status, 0)
    return directory
  }
  const start = async (options: Parameters<typeof startEmbedded>[0]) => {
    const postgres = await startEmbedded(options)
    running.push(postgres)
    return postgres
  }
  const ask = async <T>(url: string, work: (sql: ReturnType<typeof connect>) => Promise<T>): Promise<T> => {
    const sql = connect(url, 1)
    try {
      return await work(sql)
    } finally {
      await sql.end({ timeout: 5 })
    }
  }
  const numbers = (url: string) =>
    ask(url, async (sql) => (await sql`select number from written order by number`).map((row) => String(row.number)))
  const codeOf = (code: string) => (error: unknown) => error instanceof Problem && error.code === code

  test('keeps what was written across a stop and a start, with fsync, checksums and UTF-8', async () => {
    const directory = makeDirectory()
    const first = await start({ directory })
    await ask(first.urls.owner, (sql) => sql`create table kept as select 'ß' as letter`)
    await first.stop()
    const second = await start({ directory })
    const [row] = await ask(
      second.urls.owner,
      (sql) => sql`
        select letter, upper('é') as upper, current_setting('fsync') as fsync, current_setting('data_checksums') as checksums,
               current_setting('full_page_writes') as pages, current_setting('server_encoding') as encoding,
               current_setting('listen_addresses') as addresses, current_setting('max_connections') as connections
        from kept`,
    )
    assert.deepEqual(
      { ...row },
      {
        letter: 'ß',
        upper: 'É',
        fsync: 'on',
        checksums: 'on',
        pages: 'on',
        encoding: 'UTF8',
        addresses: '',
        connections: '100',
      },
    )
    await second.stop()
  })

  test('gives the application a role that owns nothing and bypasses nothing, and serves createDatabase', async () => {
    const postgres = await start({ directory: copyDirectory() })
    const roles = await ask(
      postgres.urls.owner,
      (sql) => sql`
        select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolname = pg_get_userbyid(datdba) as owns
        from pg_roles, pg_database where rolname like 'tenantry%' and datname = current_database() order by rolname`,
    )
    const limited = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false }
    assert.deepEqual(
      roles.map((role) => ({ ...role })),
      [
        { rolname: 'tenantry_app', ...limited, owns: false },
        { rolname: 'tenantry_owner', ...limited, owns: true },
        { rolname: 'tenantry_provisioner', ...limited, rolcreaterole: true, rolcreatedb: true, owns: false },
      ],
    )
    await assert.rejects(
      ask(postgres.urls.application, (sql) => sql`create table mine (id int)`),
      /permission denied for schema public/,
    )
    const database = await createDatabase({ urls: postgres.urls })
    assert.deepEqual(
      (await database.inEnvironment('env_1', (tx) => tx`select current_user as name`)).map((row) => row.name),
      ['tenantry_app'],
    )
    await database.close()
    await postgres.stop()
  })

  test('asks for the password even on the socket, which nobody else can reach', async () => {
    const postgres = await start({ directory: copyDirectory() })
    const url = new URL(postgres.urls.owner)
    assert.equal(statSync(url.searchParams.get('host')!).mode & 0o777, 0o700)
    url.password = 'wrong'
    await assert.rejects(
      ask(url.href, (sql) => sql`select 1`),
      /password authentication failed for user "tenantry_owner"/,
    )
    await postgres.stop()
  })

  test('listens on loopback alone where there are no Unix sockets', async () => {
    const postgres = await start({ directory: copyDirectory(), transport: 'tcp' })
    assert.equal(new URL(postgres.urls.owner).hostname, '127.0.0.1')
    const [row] = await ask(postgres.urls.owner, (sql) => sql`select current_setting('listen_addresses') as addresses`)
    assert.equal(row?.addresses, '127.0.0.1')
    const url = new URL(postgres.urls.application)
    url.password = ''
    await assert.rejects(
      ask(url.href, (sql) => sql`select 1`),
      /password/,
    )
    await postgres.stop()
  })

  test('puts the socket under /tmp when the path of the directory is too long for one, and removes it', async () => {
    const directory = copyDirectory(join(makeDirectory(), 'a-long-name'.repeat(9)))
    const postgres = await start({ directory })
    const socket = new URL(postgres.urls.owner).searchParams.get('host')!
    assert.match(socket, /^\/tmp\/tenantry-socket-/)
    assert.equal(statSync(socket).mode & 0o777, 0o700)
    assert.deepEqual(
      (await ask(postgres.urls.owner, (sql) => sql`select 1 as one`)).map((row) => row.one),
      [1],
    )
    await postgres.stop()
    assert.equal(existsSync(socket), false)
  })

  /** Starts a writer, waits for that many acknowledged rows, kills it and returns every row it acknowledged. */
  const writeAndKill = async (directory: string, rows: number, killServerToo: boolean): Promise<string[]> => {
    const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const acknowledged: string[] = []
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(line)
      if (acknowledged.length !== rows) continue
      child.kill('SIGKILL')
      if (killServerToo) {
        const server = Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
        process.kill(server, 'SIGKILL')
      }
    }
    assert.ok(acknowledged.length >= rows, 'the writer ended by itself')
    return acknowledged
  }

  test('loses no acknowledged row over kills of its process and of the server, and always opens again', async () => {
    const directory = makeDirectory()
    const acknowledged: string[] = []
    for (const killServerToo of [false, true, false, true, true]) {
      acknowledged.push(...(await writeAndKill(directory, 60, killServerToo)))
    }
    const postgres = await start({ directory })
    const present = new Set(await numbers(postgres.urls.owner))
    assert.deepEqual(
      acknowledged.filter((number) => !present.has(number)),
      [],
    )
    await postgres.stop()
  })

  test('N245 a second process on one directory is refused and told by whom; the first loses nothing', async () => {
    const directory = copyDirectory()
    const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(child.stdout)
    const acknowledged: string[] = []
    lines.on('line', (line) => acknowledged.push(line))
    await once(lines, 'line')
    await assert.rejects(startEmbedded({ directory }), (error) => {
      assert.ok(codeOf('embedded_locked')(error))
      assert.equal(
        (error as Problem).message,
        `The database in ${directory} is in use by process ${child.pid}. Stop that process (it may be another Tenantry in a different terminal), or give this one a directory of its own.`,
      )
      return true
    })
    await once(lines, 'line')
    child.kill('SIGKILL')
    await once(lines, 'close')
    const postgres = await start({ directory })
    const present = new Set(await numbers(postgres.urls.owner))
    assert.deepEqual(
      acknowledged.filter((number) => !present.has(number)),
      [],
    )
    // Within one process too.
    await assert.rejects(startEmbedded({ directory }), codeOf('embedded_locked'))
    await postgres.stop()
  })

  test("a start that fails shows PostgreSQL's own words and frees the directory", async () => {
    const directory = copyDirectory()
    const configuration = join(directory, 'data', 'postgresql.conf')
    appendFileSync(configuration, "\nwork_mem = 'plenty'\n")
    await assert.rejects(startEmbedded({ directory }), (error) => {
      assert.ok(codeOf('embedded_failed')(error))
      assert.match((error as Problem).message, /^Starting PostgreSQL failed\. PostgreSQL says:\n/)
      assert.match((error as Problem).message, /invalid value for parameter "work_mem": "plenty"/)
      assert.ok((error as Problem).message.endsWith(`The whole log is ${join(directory, 'postgresql.log')}.`))
      return true
    })
    appendFileSync(configuration, "\nwork_mem = '4MB'\n")
    await (await start({ directory })).stop()
  })

  test('a number in postmaster.pid that by now is another process neither blocks the start nor is signalled', async () => {
    const directory = copyDirectory()
    const stranger = spawn('/bin/sleep', ['600'], isRoot ? { uid: 65534, gid: 65534 } : {})
    const data = join(directory, 'data')
    appendFileSync(join(data, 'postmaster.pid'), `${stranger.pid}\n${data}\n1\n5432\n\n\n\n`)
    const postgres = await start({ directory })
    assert.equal(stranger.exitCode ?? stranger.signalCode, null)
    await postgres.stop()
    stranger.kill()
  })

  test('a server that dies is started again at the same address', async () => {
    const directory = copyDirectory()
    const postgres = await start({ directory })
    const server = () => Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
    const before = server()
    process.kill(before, 'SIGKILL')
    let answer: unknown
    for (let tries = 0; tries < 1_200 && !answer; tries++) {
      answer = await ask(postgres.urls.owner, async (sql) => (await sql`select 1 as one`)[0]?.one).catch(
        () => undefined,
      )
      if (!answer) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.equal(answer, 1)
    assert.notEqual(server(), before)
    await postgres.stop()
  })

  test('lost passwords are an error that says so, never a new database over the old one', async () => {
    const directory = copyDirectory()
    rmSync(join(directory, 'passwords.json'))
    await assert.rejects(startEmbedded({ directory }), codeOf('embedded_incomplete'))
    assert.equal(existsSync(join(directory, 'passwords.json')), false)
  })

  const rootOnly = isRoot ? {} : { skip: 'needs root' }

  test('started by root, runs as nobody', rootOnly, async () => {
    const directory = makeDirectory()
    const postgres = await start({ directory })
    const pid = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]
    assert.equal(statSync(`/proc/${pid}`).uid, 65534)
    assert.equal(statSync(join(directory, 'passwords.json')).mode & 0o777, 0o600)
    await postgres.stop()
  })

  test(
    'started by root in a directory closed to others, keeps the data where it can be reached',
    rootOnly,
    async () => {
      const closed = copyDirectory()
      chmodSync(closed, 0o700)
      const systemPlace = join(copyDirectory(), 'system')
      const directory = join(closed, 'postgres')
      const first = await start({ directory, systemPlace })
      await ask(first.urls.owner, (sql) => sql`create table kept as select 1 as one`)
      await first.stop()
      assert.equal(existsSync(join(directory, 'data')), false)
      // Opened later: the data must not seem to vanish.
      chmodSync(closed, 0o711)
      const second = await start({ directory, systemPlace })
      assert.equal((await ask(second.urls.owner, (sql) => sql`select one from kept`))[0]?.one, 1)
      await second.stop()
      // Deleted and made anew: a new database.
      rmSync(directory, { recursive: true })
      chmodSync(closed, 0o700)
      const third = await start({ directory, systemPlace })
      await assert.rejects(
        ask(third.urls.owner, (sql) => sql`select one from kept`),
        /relation "kept" does not exist/,
      )
      await third.stop()
    },
  )
})
