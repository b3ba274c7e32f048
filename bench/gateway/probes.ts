/** The behaviour both sides must agree on before either is timed: status and body of every row. */
import http from 'node:http'
import type { Issuer } from './issuer.ts'

interface Probe {
  readonly name: string
  readonly status: number
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

export function probes({ mint }: Issuer, audience: string): readonly Probe[] {
  const read = { scope: 'openid read:todos' }
  const seconds = Math.floor((performance.timeOrigin + performance.now()) / 1000)
  const valid = mint(read)
  const [head, body] = valid.split('.')
  const foreign = mint({ ...read, sub: 'someone else' }).split('.')[2]
  const refused = (name: string, token: string): Probe => ({ name, status: 401, headers: bearer(token) })
  return [
    { name: 'no token', status: 401 },
    refused('malformed token', 'not-a-token'),
    { name: 'valid, with prefix', status: 200, headers: bearer(valid) },
    { name: 'valid, bare token', status: 200, headers: { authorization: valid } },
    { name: 'second key', status: 200, headers: bearer(mint(read, { kid: 'key-2' })) },
    refused('bad signature', `${head}.${body}.${foreign}`),
    refused('unknown kid', mint(read, { kid: 'key-3' })),
    refused('HS256', mint(read, { alg: 'HS256' })),
    refused('expired', mint({ ...read, exp: seconds - 10 })),
    refused('nbf in the future', mint({ ...read, nbf: seconds + 600 })),
    refused('iat in the future', mint({ ...read, iat: seconds + 600 })),
    refused('wrong issuer', mint({ ...read, iss: 'https://other.example.test/' })),
    refused('wrong audience', mint({ ...read, aud: 'https://other.example.test' })),
    {
      name: 'audience array',
      status: 200,
      headers: bearer(mint({ ...read, aud: ['https://x.example.test', audience] })),
    },
    {
      name: 'client_id fallback',
      status: 200,
      headers: bearer(mint({ ...read, aud: undefined, client_id: audience })),
    },
    { name: 'no scope', status: 403, headers: bearer(mint()) },
    { name: 'any-of, second scope', status: 200, headers: bearer(mint({ scope: 'x admin:todos' })) },
    { name: 'scp array', status: 200, headers: bearer(mint({ scp: ['read:todos'] })) },
    { name: 'prefix trap', status: 403, headers: bearer(mint({ scope: 'read:todosX' })) },
    { name: 'POST needs the write scope', status: 403, method: 'POST', headers: bearer(valid) },
    { name: 'unknown route', status: 404, path: '/nowhere', headers: bearer(valid) },
    { name: 'path variable', status: 200, path: '/pets/7', headers: bearer(mint()) },
    { name: 'open route', status: 200, path: '/open/a/b' },
    {
      name: 'preflight',
      status: 204,
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.test', 'access-control-request-method': 'GET' },
    },
  ]
}

/** Returns the rows in which a contestant does not behave as the table says. */
export async function deviations(port: number, table: readonly Probe[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const { name, status, method = 'GET', path = '/todos', headers = {} } of table) {
    const answer = await ask({ port, host: '127.0.0.1', method, path, headers, agent: false })
    const expected = bodies[status]
    const isRight = answer.status === status && (expected === undefined || answer.body === expected)
    if (!isRight) found.push(`${name}: expected ${status}, got ${answer.status} ${answer.body.slice(0, 60)}`)
  }
  return found
}

const bodies: Readonly<Record<number, string>> = {
  204: '',
  401: '{"message":"Unauthorized"}',
  403: '{"message":"Forbidden"}',
  404: '{"message":"Not Found"}',
}

const ask = (options: http.RequestOptions): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    request.on('error', reject)
    request.end()
  })
