/**
 * A real Redis for the kit’s own tests: REDIS_URL, or a `redis-server` or `valkey-server` found here, which is started on
 * a socket of its own. Without either the tests that need one are skipped, and say so.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

const binary = ['redis-server', 'valkey-server'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** Why there is no Redis here, for `skip`; false when there is one. */
export const noRedis: string | false =
  process.env.REDIS_URL || binary
    ? false
    : 'NOT TESTED on Redis: there is neither REDIS_URL nor a redis-server or valkey-server on the PATH'

export interface TestRedis {
  /** What clients are given to connect. */
  address: string
  /** A further client of ioredis, and of node-redis (connected). Closed with the rest. */
  ioredis(): Redis
  nodeRedis(): Promise<ReturnType<typeof createClient>>
  /** Ends the server, if it is ours, so that clients lose it. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export async function startTestRedis(): Promise<TestRedis> {
  const url = process.env.REDIS_URL
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-redis-'))
  const socket = join(directory, 'socket')
  const closing: (() => unknown)[] = []
  let server: ReturnType<typeof spawn> | undefined

  const start = async (): Promise<void> => {
    if (url) return
    server = spawn(binary!, ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', directory], {
      stdio: 'ignore',
    })
    server.unref()
    for (let tries = 0; !existsSync(socket); tries++) {
      if (tries > 3_000) throw new Error(`${binary} has not opened its socket.`)
      await wait(20)
    }
  }
  const stop = async (): Promise<void> => {
    if (!server || server.exitCode !== null) return
    const ended = new Promise((resolve) => server!.once('exit', resolve))
    server.kill('SIGTERM')
    await ended
  }
  await start()
  process.once('exit', () => server?.kill('SIGKILL'))
  const address = url ?? socket
  return {
    address,
    start,
    stop,
    ioredis() {
      const client = new Redis(address)
      client.on('error', () => {})
      closing.push(() => client.disconnect())
      return client
    },
    async nodeRedis() {
      const client = url ? createClient({ url }) : createClient({ socket: { path: socket, tls: false } })
      client.on('error', () => {})
      await client.connect()
      closing.push(() => client.destroy())
      return client as unknown as ReturnType<typeof createClient>
    },
    async close() {
      for (const end of closing) end()
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
