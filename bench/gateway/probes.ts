/** The behaviour both sides must agree on before either is timed: status and body of every row. */
import http from 'node:http'
import type { Issuer } from './issuer.ts'

interface Probe {
  readonly name: string
  readonly status: number
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Lines that the upstream must have been sent, and no other line of those names. */
  readonly told?: readonly string[]
  /** What nobody expects of a handful of plugins: left out where `isStrict` is not set. */
  readonly isFine?: true
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
    { name: 'valid, bare token', status: 200, headers: { authorization: valid }, isFine: true },
    { name: 'second key', status: 200, headers: bearer(mint(read, { kid: 'key-2' })) },
    refused('bad signature', `${head}.${body}.${foreign}`),
    refused('unknown kid', mint(read, { kid: 'key-3' })),
    refused('HS256', mint(read, { alg: 'HS256' })),
    refused('expired', mint({ ...read, exp: seconds - 10 })),
    refused('nbf in the future', mint({ ...read, nbf: seconds + 600 })),
    { ...refused('iat in the future', mint({ ...read, iat: seconds + 600 })), isFine: true },
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
      isFine: true,
    },
    { name: 'no scope', status: 403, headers: bearer(mint()) },
    { name: 'any-of, second scope', status: 200, headers: bearer(mint({ scope: 'x admin:todos' })) },
    { name: 'scp array', status: 200, headers: bearer(mint({ scp: ['read:todos'] })), isFine: true },
    { name: 'prefix trap', status: 403, headers: bearer(mint({ scope: 'read:todosX' })) },
    { name: 'POST needs the write scope', status: 403, method: 'POST', headers: bearer(valid), isFine: true },
    { name: 'unknown route', status: 404, path: '/nowhere', headers: bearer(valid) },
    { name: 'path variable', status: 200, path: '/pets/7', headers: bearer(mint()) },
    {
      name: 'claim headers, forged by the client',
      status: 200,
      path: '/pets/7',
      headers: { ...bearer(mint()), 'x-org-id': 'org_of_somebody_else' },
      told: ['x-org-id: org_1a2b3c4d5e6f7a8b', 'x-user-id: auth0|65f0c0ffee', 'x-client-id: client-1a2b3c4d'],
    },
    { name: 'open route', status: 200, path: '/open/a/b', isFine: true },
    {
      name: 'preflight',
      status: 204,
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.test', 'access-control-request-method': 'GET' },
      isFine: true,
    },
  ]
}

/** Returns the rows in which a contestant does not behave as the table says. */
export async function deviations(port: number, table: readonly Probe[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const { name, status, method = 'GET', path = '/todos', headers = {}, told = [] } of table) {
    const answer = await ask({ port, host: '127.0.0.1', method, path, headers, agent: false })
    const expected = bodies[status]
    const lines = answer.body.split('\r\n')
    const isTold = told.every((line) => {
      const ofName = lines.filter((other) => other.toLowerCase().startsWith(line.slice(0, line.indexOf(':') + 1)))
      return ofName.length === 1 && ofName[0]!.toLowerCase() === line
    })
    const isRight = answer.status === status && (expected === undefined || answer.body === expected) && isTold
    if (!isRight) found.push(`${name}: expected ${status}, got ${answer.status} ${answer.body.slice(0, 600)}`)
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
