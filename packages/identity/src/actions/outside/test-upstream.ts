/** A server of this machine that Actions of tests call. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { after } from 'node:test'

export interface Seen {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Upstream {
  /** `http://127.0.0.1:…` */
  base: string
  port: number
  /** Every request, in order. */
  seen: Seen[]
  /** Whether a connection was ended before it was answered. */
  brokenOff: () => number
}

/** Answers what it saw, unless `respond` does. */
export async function startUpstream(
  respond?: (seen: Seen, response: ServerResponse, upstream: Upstream) => boolean | undefined,
  address = '127.0.0.1',
): Promise<Upstream> {
  const seen: Seen[] = []
  let broken = 0
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    response.on('close', () => {
      if (!response.writableFinished) broken++
    })
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, path: url, headers, body: Buffer.concat(chunks).toString() }
      seen.push(one)
      if (respond?.(one, response, upstream)) return
      response.setHeader('content-type', 'application/json').end(JSON.stringify(one))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const host = address.includes(':') ? `[${address}]` : address
  const upstream: Upstream = { base: `http://${host}:${port}`, port, seen, brokenOff: () => broken }
  return upstream
}
