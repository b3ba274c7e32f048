/** Fixture: HAProxy itself, with an exported configuration, in front of the tests' own issuer and upstream. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Api } from '../../../api.ts'
import { exportHaproxy, type HaproxyOptions } from './haproxy.ts'

/** `false`, or why tests with HAProxy are skipped. */
export const withoutHaproxy: string | false =
  spawnSync('haproxy', ['-v']).status === 0
    ? false
    : 'HAProxy is not installed: the Debian package "haproxy" (2.6 or later) brings it'

export interface Checked {
  readonly isValid: boolean
  /** What HAProxy says of the configuration. */
  readonly output: string
}

type Options = Omit<HaproxyOptions, 'directory' | 'bind'>

/** Writes the export into a directory of its own, and has HAProxy check it. */
export async function prepareHaproxy(api: Api, options: Options) {
  const directory = mkdtempSync(path.join(tmpdir(), 'haproxy-'))
  const port = await freePort()
  const exported = exportHaproxy(api, { ...options, directory, bind: `127.0.0.1:${port}` })
  for (const [name, text] of Object.entries(exported.files)) writeFileSync(path.join(directory, name), text)
  const file = path.join(directory, 'haproxy.cfg')
  writeFileSync(file, exported.config)
  return { ...exported, file, port, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

export async function checkHaproxy(api: Api, options: Options): Promise<Checked> {
  const { file, remove } = await prepareHaproxy(api, options)
  const { status, stderr, stdout } = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8' })
  remove()
  return { isValid: status === 0, output: `${stdout}${stderr}` }
}

/** Runs HAProxy with the export until `close`. */
export async function startHaproxy(api: Api, options: Options) {
  const { file, port, remove } = await prepareHaproxy(api, options)
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)))
  await answering(port, child, () => output)
  return {
    port,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      remove()
    },
  }
}

let asked = 0

/** Below those that systems give to connections by themselves, and none that another process of these tests asks for. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + (((process.pid % 1_000) * 10 + asked++) % 10_000)
    const isFree = await new Promise<boolean>((resolve) => {
      const server = net.createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}

async function answering(port: number, child: ChildProcess, output: () => string): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    if (child.exitCode !== null) throw new Error(`HAProxy ended: ${output()}`)
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`HAProxy does not listen: ${output()}`)
}
