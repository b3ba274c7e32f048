/** Identity servers as processes of their own, each with a PostgreSQL of its own, and what a request costs there. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Size } from './load.ts'

export interface ServerProcess {
  port: number
  /** A bare Fastify in the same process: what a request costs on this machine before anything is done for it. */
  helloPort: number
  host: string
  /** Good for the whole Management API, for a day. */
  token: string
  /** One with as many members at every size. */
  organization: string
  size: Size
  child: ChildProcess
}

/** What a child process says next. @throws Error when it ends instead */
export const message = <T>(from: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`A process of the measurement ended with code ${code}.`))
    from.once('exit', ended)
    from.once('message', (value) => {
      from.off('exit', ended)
      resolve(value as T)
    })
  })

export const spawnChild = (file: string, ...args: string[]): ChildProcess =>
  fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: ['--no-node-snapshot'] })

export async function startServer(size: Size): Promise<ServerProcess> {
  const child = spawnChild('server.ts', JSON.stringify(size))
  return { child, size, ...(await message<Omit<ServerProcess, 'child' | 'size'>>(child)) }
}

export interface Cost {
  /** CPU of the server and of all processes of its PostgreSQL, per piece of work. */
  microseconds: number
  count: number
  /** How long one took. */
  milliseconds: number
}

const usage = ({ child }: ServerProcess): Promise<{ server: number; database: number }> => {
  child.send('usage')
  return message(child)
}

/** Lets PostgreSQL look at its tables as they are now. */
export async function settle({ child }: ServerProcess): Promise<void> {
  child.send('settle')
  await message(child)
}

/** Does the work over and over, on several connections at once. */
export async function measure(
  server: ServerProcess,
  work: () => Promise<unknown>,
  { milliseconds = 2000, connections = 8 } = {},
): Promise<Cost> {
  const before = await usage(server)
  const started = performance.now()
  let count = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() - started < milliseconds) {
        await work()
        count++
      }
    }),
  )
  const elapsed = performance.now() - started
  const after = await usage(server)
  const spent = after.server + after.database - before.server - before.database
  return { microseconds: spent / count, count, milliseconds: (elapsed * connections) / count }
}

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
