/**
 * An API of projects, tasks and files whose isolation can be broken in many ways, one at a time. With no leak switched on
 * it keeps its tenants apart: what the proof finds then is the proof's mistake.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { postgres } from '@tenantry/tenancy/driver'
import type { Sql } from 'postgres'
import { parse } from 'yaml'
import { type Answer, type Handler, missing, refused } from './answer.ts'
import type { Leak } from './leaks.ts'
import { projectRoutes } from './projects.ts'
import * as store from './store.ts'
import { fileRoutes, taskRoutes } from './tasks-and-files.ts'
import { tenantOf } from './tokens.ts'

export const openapiFile = new URL('openapi.yaml', import.meta.url)
export const openapi: unknown = parse(readFileSync(openapiFile, 'utf8'))

export interface BrokenApi {
  url: string
  /** Switches one leak on, or none, and forgets all rows. */
  break(leak: Leak | undefined): Promise<void>
  close(): Promise<void>
}

export async function startBrokenApi(): Promise<BrokenApi> {
  const { owner } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!)
  const schema = `broken_${randomBytes(6).toString('hex')}`
  const connect = (max: number): Sql => {
    const options = { max, onnotice: () => {}, connection: { search_path: schema } }
    return (typeof owner === 'string' ? postgres(owner, options) : postgres({ ...owner, ...options })) as unknown as Sql
  }
  const [sql, narrow] = [connect(4), connect(1)]
  await sql`create schema ${sql(schema)}`
  await store.createTables(sql)

  let leak: Leak | undefined
  const on = (asked: Leak): boolean => leak === asked
  const routes = compile({ ...projectRoutes(sql, on), ...taskRoutes(sql, on), ...fileRoutes(sql, narrow, on) })
  const kept = new Map<string, Answer>()
  const server = createServer(front(routes, on, kept))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async break(wanted) {
      await store.clear(sql)
      kept.clear()
      await sql`drop index if exists code_over_all`
      if (wanted === 'unique-over-all') await sql`create unique index code_over_all on projects (code)`
      leak = wanted
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await sql`drop schema ${sql(schema)} cascade`
      await Promise.all([sql.end({ timeout: 2 }), narrow.end({ timeout: 2 })])
    },
  }
}

interface Compiled {
  key: string
  method: string
  pattern: RegExp
  handler: Handler
}

const compile = (routes: Record<string, Handler>): Compiled[] =>
  Object.entries(routes).map(([key, handler]) => {
    const [method = '', path = ''] = key.split(' ')
    return { key, method, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`), handler }
  })

/** Reads the request, finds out who calls, and answers; the leaks of token, connection and cache are here. */
function front(routes: readonly Compiled[], on: (leak: Leak) => boolean, kept: Map<string, Answer>) {
  const byConnection = new WeakMap<Socket, string>()

  const respond = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://broken.invalid')
    const [path = ''] = (request.url ?? '/').split('?')
    if (path === '/health') return { status: 200, body: { ok: true } }
    const found = routes.find(({ method, pattern }) => method === request.method && pattern.test(path))
    if (!found) return missing
    const tenant = authenticate(request, found.key)
    if (tenant === undefined)
      return { status: 401, body: { code: 'token_refused' }, headers: { 'www-authenticate': 'Bearer' } }
    const caching =
      (on('cache-by-url') && found.key === 'GET /tasks') ||
      (on('cache-of-item') && found.key === 'GET /projects/:projectId')
    if (request.method !== 'GET') kept.clear()
    const before = caching ? kept.get(request.url!) : undefined
    if (before) return before
    const params: Record<string, string> = {}
    for (const [name, value] of Object.entries(found.pattern.exec(path)!.groups ?? {})) {
      try {
        params[name] = decodeURIComponent(value)
      } catch {
        return refused(400, 'path_malformed')
      }
      if (params[name].includes('\0')) return missing
    }
    const body = request.method === 'GET' ? {} : await bodyOf(request)
    if (body === undefined) return refused(400, 'body_malformed')
    const answer = await found.handler({ tenant, params, query: url.searchParams, body, request })
    if (caching && answer.status === 200) kept.set(request.url!, answer)
    return answer
  }

  /** @returns '' for somebody whom a leak lets in without a tenant */
  const authenticate = (request: IncomingMessage, key: string): string | undefined => {
    const remembered =
      on('identity-by-connection') && key === 'GET /projects' ? byConnection.get(request.socket) : undefined
    if (remembered !== undefined) return remembered
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    const isExport = key === 'GET /exports/:exportId'
    if (token === undefined) return on('no-token') && isExport ? '' : undefined
    const tenant = tenantOf(token, {
      verify: !(on('unverified-token') && key === 'GET /projects'),
      allowNone: on('alg-none') && key === 'GET /projects/:projectId/tasks',
      checkExpiry: !(on('expired-token') && key === 'GET /files'),
    })
    if (tenant !== undefined && key === 'GET /projects') byConnection.set(request.socket, tenant)
    return tenant ?? (on('any-token') && isExport ? '' : undefined)
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    respond(request).then(
      ({ status, body, headers }) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers })
        response.end(body === undefined ? undefined : JSON.stringify(body))
      },
      (error: Error) => {
        console.error(error)
        response.writeHead(500, { 'content-type': 'application/json' })
        response.end('{"code":"internal"}')
      },
    )
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  let raw = ''
  for await (const chunk of request) raw += chunk
  try {
    const body: unknown = raw === '' ? {} : JSON.parse(raw)
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
