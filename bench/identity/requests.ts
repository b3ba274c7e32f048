import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import type { ServerProcess } from './server-process.ts'

const agent = new Agent({ keepAlive: true, maxSockets: 16 })
export const closeConnections = (): void => agent.destroy()

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export interface Asked {
  method?: string
  headers?: Record<string, string>
  form?: Record<string, string>
  json?: object
  port?: number
}

export function ask(
  server: Pick<ServerProcess, 'port' | 'host'>,
  path: string,
  { method, headers, form, json, port = server.port }: Asked = {},
): Promise<Reply> {
  const payload = form ? new URLSearchParams(form).toString() : json && JSON.stringify(json)
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        method: method ?? (payload ? 'POST' : 'GET'),
        path,
        agent,
        headers: {
          host: server.host,
          ...(payload ? { 'content-type': type, 'content-length': Buffer.byteLength(payload) } : {}),
          ...headers,
        },
      },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          body += chunk
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}

/** A request to the Management API. @throws Error for an answer that is not one of these */
export async function manage(
  server: ServerProcess,
  method: string,
  path: string,
  json?: object,
  ...expected: number[]
): Promise<Reply> {
  const reply = await ask(server, `/api/v2${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}` },
    ...(json ? { json } : {}),
  })
  const fine = expected.length > 0 ? expected.includes(reply.status) : reply.status < 300
  if (!fine) throw new Error(`${method} ${path}: ${reply.status} ${reply.body}`)
  return reply
}
