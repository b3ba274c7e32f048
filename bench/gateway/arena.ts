/** What every measurement stands on: an issuer, an upstream, and how contestants are started beside them. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Contestant, freePort, startHaproxy, startNode, untilListening } from './contestants.ts'
import type { FastifyOptions } from './fastify.ts'
import { type Issuer, startIssuer } from './issuer.ts'
import type { ServerOptions } from './server.ts'
import { loadCpu } from './windows.ts'

export interface Arena {
  readonly directory: string
  readonly issuer: Issuer
  readonly upstreamPort: number
  /** On the measured core, unless `cpu` names another. */
  gateway(name: string, options?: Partial<ServerOptions>, cpu?: number): Promise<Contestant>
  haproxy(name: 'haproxy' | 'haproxy-plain'): Promise<Contestant>
  fastify(name: string, options: Pick<FastifyOptions, 'cache'>): Promise<Contestant>
  close(): void
}

export const audience = 'https://api.example.test'
const measuredCpu = 0

export async function openArena(): Promise<Arena> {
  const directory = mkdtempSync(path.join(tmpdir(), 'gateway-bench-'))
  const children: ChildProcess[] = []
  const issuer = await startIssuer(directory, await freePort(), audience)
  const upstreamPort = await freePort()
  children.push(await startNode('upstream.ts', loadCpu, [String(upstreamPort)]))
  const facts = { upstream: upstreamPort, issuer: issuer.url, audience }
  const log = (name: string): string => path.join(directory, `${name}.log`)
  const joined = async (name: string, port: number, child: ChildProcess): Promise<Contestant> => {
    children.push(child)
    await untilListening(port)
    return { name, port, pid: child.pid!, child }
  }

  return {
    directory,
    issuer,
    upstreamPort,
    gateway: async (name, changes = {}, cpu = measuredCpu) => {
      const port = await freePort()
      const plain = { logFile: log(name), routes: 0, isBare: false, limits: null }
      const options: ServerOptions = { port, ...facts, ...plain, ...changes }
      return joined(name, port, await startNode('server.ts', cpu, [JSON.stringify(options)]))
    },
    haproxy: async (name) => {
      const port = await freePort()
      const values = { port: String(port), upstream: String(upstreamPort), issuer: issuer.url, audience }
      const pems = issuer.pemFiles
      return joined(name, port, startHaproxy(directory, measuredCpu, `${name}.cfg`, log(name), { ...values, ...pems }))
    },
    fastify: async (name, { cache }) => {
      const port = await freePort()
      const options: FastifyOptions = { port, ...facts, logFile: log(name), cache, pemFiles: issuer.pemFiles }
      return joined(name, port, await startNode('fastify.ts', measuredCpu, [JSON.stringify(options)]))
    },
    close: () => {
      for (const child of children) child.kill('SIGKILL')
      issuer.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
