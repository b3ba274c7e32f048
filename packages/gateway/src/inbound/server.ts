/** What accepts connections of clients, knows them all, and ends those that take longer than they may. */
import net, { type Socket } from 'node:net'
import type tls from 'node:tls'
import type { Pipeline } from '../pipeline.ts'
import { attendClient, type ClientConnection, type Timeouts } from './client-connection.ts'

export interface ClientServer extends net.Server, Timeouts {
  /** Breaks all connections off. */
  closeAllConnections(): void
  /** Stops accepting, and ends each connection once no answer is due on it. */
  drain(): Promise<void>
}

/** How both kinds of servers treat the connections below HTTP. */
export const socketOptions = { noDelay: true, allowHalfOpen: true } as const

const toldSeconds = 65
// Clients are told a little less than they are given: a request may be on its way already.
const timeouts: Timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: toldSeconds * 1_000 + 1_000,
}
const sweepMs = 2_000

export interface ClientServerDeps {
  readonly pipeline: Pipeline
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export const createPlainServer = (deps: ClientServerDeps): ClientServer =>
  serveClients(net.createServer(socketOptions), 'connection', deps)

/** @param event when a connection can carry requests: with TLS once hands have been shaken */
export function serveClients(
  base: net.Server | tls.Server,
  event: 'connection' | 'secureConnection',
  { pipeline, now }: ClientServerDeps,
): ClientServer {
  const connections = new Set<ClientConnection>()
  const onClosed = (connection: ClientConnection): void => void connections.delete(connection)
  base.on(event, (socket: Socket) => {
    if (socket.destroyed) return
    // Read once while it can be: of a connection that is gone Node knows no address any more.
    void socket.remoteAddress
    const connection = attendClient(socket, { pipeline, now, keepAlive: `timeout=${toldSeconds}`, onClosed })
    connections.add(connection)
    if (!server.listening) connection.drain()
  })
  let sweeping: NodeJS.Timeout | undefined
  base.on('listening', () => {
    sweeping = setInterval(() => {
      const at = performance.now()
      for (const connection of connections) connection.expire(at, server)
    }, sweepMs).unref()
  })
  base.on('close', () => clearInterval(sweeping))

  const server: ClientServer = Object.assign(base, {
    ...timeouts,
    closeAllConnections: () => {
      for (const connection of connections) connection.destroy()
    },
    drain: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const connection of connections) connection.drain()
      }),
  })
  return server
}
