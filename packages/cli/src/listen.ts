import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  port_taken: {
    status: 500,
    title: 'Port {port} is taken by another program. Stop it, or set {variable} to a free port.',
  },
  port_forbidden: {
    status: 500,
    title: 'Port {port} needs more rights than this user has. Set {variable} to a port above 1023.',
  },
})

/** An address here as clients name it in Host and Origin: without the port that its scheme implies. */
export const localOrigin = (scheme: 'http' | 'https', port: number): string =>
  new URL(`${scheme}://localhost:${port}`).origin

export interface Listener {
  close(): Promise<void>
}

export interface ListenOptions {
  port: number
  host: string
  /** The setting to name when the port cannot be had. */
  variable: string
  tls?: { key: string; cert: string }
}

/**
 * Longer than whoever is in front keeps an idle connection: a minute at Amazon's load balancers and at nginx. Node's five
 * seconds end one at the moment in which it is used again, which clients hear as "fetch failed" and browsers as a 502.
 */
const KEEP_ALIVE_MS = 72_000

/** Serves the application on one more port. @throws Problem `port_taken`, `port_forbidden` */
export async function listen(app: Api, { port, host, variable, tls }: ListenOptions): Promise<Listener> {
  await app.ready()
  const server: Server = tls
    ? (createSecureServer(tls, (request, response) => app.routing(request, response)) as unknown as Server)
    : createServer((request, response) => app.routing(request, response))
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  server.keepAliveTimeout = KEEP_ALIVE_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explainListenError(error, port, variable)))
    server.listen(port, host, resolve)
  })
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        // Requests under way get a moment; a browser's open connection must not hold up the stop.
        setTimeout(() => server.closeAllConnections(), 2000).unref()
      }),
  }
}

export function explainListenError(error: Error & { code?: string }, port: number, variable: string): Error {
  if (error.code === 'EADDRINUSE') return problems.port_taken({ facts: { port, variable }, cause: error })
  if (error.code === 'EACCES') return problems.port_forbidden({ facts: { port, variable }, cause: error })
  return error
}
