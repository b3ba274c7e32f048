/** One run of PostgreSQL's server process: start, readiness, end, and what a killed run left behind. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { makeSocketDirectory, type Place, removeSocketDirectory } from './place.ts'
import { problems } from './problems.ts'

export type Transport = 'socket' | 'tcp'

/** Where clients find the server; `host` is the socket's directory, or the loopback address. */
export interface Endpoint {
  host: string
  port: number
}

export interface Postmaster {
  endpoint: Endpoint
  /** Resolves when the process has ended, for whatever reason. */
  ended: Promise<void>
  /** Fast shutdown: transactions are aborted, everything committed is on disk. */
  stop(): Promise<void>
}

/**
 * In MiB: a sixteenth of the machine's memory, within bounds; less than PostgreSQL's usual quarter, since we share the
 * machine. It is taken as pages are used, so a small database stays small.
 */
const sharedBuffers = (bytes: number): number => Math.max(64, Math.min(512, Math.floor(bytes / 16 / 1024 / 1024)))

/** Modest: this is a laptop's or a small server's database. What bears on durability keeps PostgreSQL's defaults. */
const SETTINGS = {
  // PostgreSQL's own default; fifty were used up by an installation whose tenants have databases of their own.
  max_connections: '100',
  shared_buffers: `${sharedBuffers(totalmem())}MB`,
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  // A table that has just begun to fill has no statistics, and its indexes look alike to the planner: for a minute,
  // codes were found by reading all of them.
  autovacuum_naptime: '15s',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_checkpoints: 'off',
  // Statements and the DETAIL of a violated key hold personal data, which has no business in a log file.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

const START_PATIENCE_MS = 60_000
const STOP_PATIENCE_MS = 60_000
/** A log above this is set aside at the next start; one older log is kept. */
const LOG_LIMIT = 4 * 1024 * 1024
/** What a server that was just killed leaves for a moment: its children still hold memory, socket or port. */
const PASSING = /pre-existing shared memory block|lock file ".*" already exists|already in use|could not bind/
const RETRY_DELAYS_MS = [100, 200, 400, 800, 1600, 3200]

/** Starts the server and waits until it accepts connections. @throws embedded_failed with PostgreSQL's own words. */
export async function startPostmaster(place: Place, transport: Transport, fixedPort?: number): Promise<Postmaster> {
  if (sizeOf(place.log) > LOG_LIMIT) renameSync(place.log, `${place.log}.1`)
  for (const delay of [...RETRY_DELAYS_MS, undefined]) {
    await endOrphan(place)
    const offset = sizeOf(place.log)
    try {
      return await startOnce(place, transport, fixedPort)
    } catch (cause) {
      if (delay === undefined || !PASSING.test(logSince(place.log, offset))) throw cause
      await wait(delay)
    }
  }
  throw new Error('unreachable')
}

async function startOnce(place: Place, transport: Transport, fixedPort?: number): Promise<Postmaster> {
  const offset = sizeOf(place.log)
  const endpoint =
    transport === 'socket'
      ? { host: makeSocketDirectory(place), port: 5432 }
      : { host: '127.0.0.1', port: fixedPort ?? (await freePort()) }
  const settings = {
    ...SETTINGS,
    port: String(endpoint.port),
    listen_addresses: transport === 'tcp' ? endpoint.host : '',
    unix_socket_directories: transport === 'socket' ? `"${endpoint.host.replaceAll('"', '""')}"` : '',
    unix_socket_permissions: '0700',
  }
  const child = run(place, 'postgres', [
    '-D',
    place.data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  const ended = ending(child, place.log)
  try {
    await ready(place, child, ended, offset)
  } catch (cause) {
    child.kill('SIGQUIT')
    await ended
    removeSocketDirectory(endpoint.host)
    throw cause
  }
  return {
    endpoint,
    ended,
    stop: async () => {
      await interrupt(place, child.pid!, () => child.exitCode === null && child.signalCode === null)
      await ended
      removeSocketDirectory(endpoint.host)
    },
  }
}

/** Runs one of PostgreSQL's programs to its end. @throws embedded_failed with its last words. */
export async function runToEnd(place: Place, program: string, args: string[], step: string): Promise<void> {
  const offset = sizeOf(place.log)
  const child = run(place, program, args)
  await ending(child, place.log)
  if (child.exitCode !== 0) throw failure(place, step, offset)
}

/**
 * Output goes to a file and not to a pipe, so it outlives this process. `detached`: a Ctrl-C in the terminal goes to
 * the whole process group and would stop the database under the requests that are still being finished. The
 * environment is empty: no PG… variable of the caller changes the server, no secret of his is seen in it.
 */
function run({ base, log, account, binaries }: Place, program: string, args: string[]): ChildProcess {
  const output = openSync(log, 'a', 0o600)
  try {
    return spawn(join(binaries.root, 'bin', process.platform === 'win32' ? `${program}.exe` : program), args, {
      cwd: base,
      env: { LC_ALL: 'C' },
      stdio: ['ignore', output, output],
      detached: true,
      windowsHide: true,
      ...account,
    })
  } finally {
    closeSync(output)
  }
}

const ending = (child: ChildProcess, log: string): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve())
    // A program that cannot be started (no such file, no right to run it) emits 'error' and never 'exit'.
    child.once('error', (error) => {
      appendFileSync(log, `${error.message}\n`)
      resolve()
    })
  })

/** PostgreSQL writes its state into line 8 of postmaster.pid, which pg_ctl reads as well. */
async function ready(place: Place, child: ChildProcess, ended: Promise<void>, offset: number): Promise<void> {
  let over = false
  void ended.then(() => {
    over = true
  })
  for (let waited = 0; waited < START_PATIENCE_MS; waited += 20) {
    if (over) throw failure(place, 'Starting PostgreSQL', offset)
    const state = readPidFile(place)
    if (state?.pid === child.pid && state?.status === 'ready') return
    await wait(20)
  }
  throw failure(place, `Starting PostgreSQL (not ready after ${START_PATIENCE_MS / 1000} s)`, offset)
}

interface PidFile {
  pid: number
  socketDirectory: string
  status: string
}

function readPidFile({ data }: Place): PidFile | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), socketDirectory: lines[4] ?? '', status: (lines[7] ?? '').trim() }
  } catch {
    return undefined
  }
}

/**
 * A kill -9 of the process above leaves its server running. We hold the directory's lock, so nobody needs it any
 * more: it is stopped, because one that we did not start cannot be waited for. A file that names a process which is
 * no server of this directory (the id was given out again) is removed; PostgreSQL would take it for its own.
 */
async function endOrphan(place: Place): Promise<void> {
  const left = readPidFile(place)
  if (!left) return
  if (isServerOf(place, left.pid)) {
    // pg_ctl fails where the id is another process's; the start itself then tells whether a server is left.
    await interrupt(place, left.pid, () => isServerOf(place, left.pid)).catch(() => {})
  } else if (isAlive(left.pid)) {
    rmSync(join(place.data, 'postmaster.pid'), { force: true })
  }
  removeSocketDirectory(left.socketDirectory)
}

/** Fast shutdown first; a server that hangs gets an immediate one, after which the next start recovers from its log. */
async function interrupt(place: Place, pid: number, isRunning: () => boolean): Promise<void> {
  if (process.platform === 'win32') return runPgCtlStop(place)
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    send(pid, signal)
    for (let waited = 0; waited < STOP_PATIENCE_MS; waited += 20) {
      if (!isRunning()) return
      await wait(20)
    }
  }
}

/** Windows has no signals between processes; pg_ctl speaks to the server through a named pipe instead. */
const runPgCtlStop = (place: Place): Promise<void> =>
  runToEnd(place, 'pg_ctl', ['stop', '-D', place.data, '-m', 'fast', '-w', '-t', '60'], 'Stopping PostgreSQL')

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const isAlive = (pid: number): boolean => pid > 0 && send(pid, 0)

/** By its command line: the id in the file may belong to another process by now, which must not be signalled. */
function isServerOf(place: Place, pid: number): boolean {
  if (!isAlive(pid)) return false
  if (process.platform === 'win32') return true
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0-D\0${place.data}\0`)
      : spawnSync('/bin/ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout.includes(place.data)
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

const failure = (place: Place, step: string, offset: number) =>
  problems.embedded_failed({
    facts: { step, log: logSince(place.log, offset).trim() || '(nothing)', file: place.log },
  })

/** The end of what was written since, at most 2 KB. */
export function logSince(file: string, offset: number): string {
  try {
    return readFileSync(file).subarray(offset).subarray(-2048).toString('utf8')
  } catch {
    return ''
  }
}

export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
