/** PgBouncer in transaction mode for tests, where it is installed: each transaction may run on another session. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Pooler {
  address: { host: string; port: number }
  close(): Promise<void>
}

export interface PoolerOptions {
  server: { host: string; port: number }
  /** Of each session that it opens; a client's own is not passed on. */
  searchPath: string
  logins: { role: string; password: string }[]
  /** Sessions for each role and database. */
  sessions: number
}

/** Where the executable is, or undefined. Debian keeps it where only root's PATH looks. */
export function findPgBouncer(): string | undefined {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return places
    .map((place) => join(place, 'pgbouncer'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

export async function startPooler(executable: string, options: PoolerOptions): Promise<Pooler> {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-pooler-'))
  const port = await freePort()
  const { server, searchPath, logins, sessions } = options
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  writeFileSync(
    join(directory, 'users.txt'),
    logins.map(({ role, password }) => `${quoted(role)} ${quoted(password)}\n`).join(''),
  )
  writeFileSync(
    join(directory, 'pgbouncer.ini'),
    `[databases]
* = host=${server.host} port=${server.port} connect_query='set search_path to ${quoted(searchPath)}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${join(directory, 'users.txt')}
pool_mode = transaction
default_pool_size = ${sessions}
max_client_conn = 500
ignore_startup_parameters = search_path,extra_float_digits
log_connections = 0
log_disconnections = 0
`,
  )
  // PgBouncer refuses root.
  const root = process.getuid?.() === 0
  if (root) chmodSync(directory, 0o755)
  const child = spawn(executable, [join(directory, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(root ? { uid: 65534, gid: 65534 } : {}),
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  await answering(port, child, () => said)
  return {
    address: { host: '127.0.0.1', port },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode === null) {
        child.kill('SIGKILL')
        await ended
      }
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

let asked = 0

/** Below those that systems give to connections by themselves, and none that another process of these tests asks for. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + (((process.pid % 1_000) * 10 + asked++) % 10_000)
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}

async function answering(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PgBouncer did not start: ${said()}`)
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (reached) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
