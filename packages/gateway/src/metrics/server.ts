import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface MetricsServer {
  readonly port: number
  close(): Promise<void>
}

const local = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

/**
 * Serves `GET /metrics` on a port of its own, to this machine alone: no API's host and no path of the data plane leads
 * here. A page in a browser on this machine, whose name was made to point here, is not answered either.
 *
 * @throws the system's error when the port cannot be had
 */
export async function serveMetrics(port: number, read: () => string): Promise<MetricsServer> {
  const server = http.createServer((request, response) => {
    if (!local.test(request.headers.host ?? '')) response.writeHead(403).end()
    else if (request.url?.split('?')[0] !== '/metrics') response.writeHead(404).end()
    else if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end()
    else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(read())
  })
  server.headersTimeout = 10_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
