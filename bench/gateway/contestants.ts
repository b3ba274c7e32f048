/** Starts and stops the processes of the measurement, each pinned to the core it is measured on. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'

export interface Contestant {
  readonly name: string
  readonly port: number
  readonly pid: number
  readonly child: ChildProcess
}

const here = import.meta.dirname

/** Names the tool that is missing and how to get it, or returns `null`. */
export function missingTool(): string | null {
  const tools = { haproxy: 'haproxy', wrk: 'wrk', taskset: 'util-linux' }
  for (const [tool, debianPackage] of Object.entries(tools)) {
    if (spawnSync(tool, ['-v']).error !== undefined) {
      return `"${tool}" is not installed; on Debian: apt-get install ${debianPackage}`
    }
  }
  return null
}

export function startNode(file: string, cpu: number, args: readonly string[]): Promise<ChildProcess> {
  const command = ['-c', String(cpu), process.execPath, '--expose-gc', path.join(here, file), ...args]
  const child = spawn('taskset', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child))
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it was ready`)))
  })
}

/**
 * Writes the configuration and starts HAProxy with it, in the foreground, as one process.
 *
 * @param template file beside this one
 * @param log where standard output goes
 */
export function startHaproxy(
  directory: string,
  cpu: number,
  template: string,
  log: string,
  values: Readonly<Record<string, string>>,
): ChildProcess {
  const config = readFileSync(path.join(here, template), 'utf8').replace(/@([\w-]+)@/g, (_whole, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`${template} asks for @${name}@, which it is not given`)
    return value
  })
  const file = path.join(directory, template)
  writeFileSync(file, config)
  const command = ['-c', String(cpu), 'haproxy', '-db', '-q', '-f', file]
  return spawn('taskset', command, { stdio: ['ignore', openSync(log, 'a'), 'inherit'] })
}

/** A port nobody listens on at the moment. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

/** Resolves when the port accepts connections. */
export async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port} after 5 seconds`)
}

/**
 * Time a process has spent on a CPU so far, in microseconds, over all its threads. The scheduler's own clock, in
 * nanoseconds: the tick counters of `/proc/<pid>/stat` guess from samples, which a window of 2 s is too short for.
 */
export function cpuMicroseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const spent = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]),
  )
  return spent.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1000
}
