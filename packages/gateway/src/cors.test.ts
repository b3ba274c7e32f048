import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Cors } from './api.ts'
import { compileCors, corsFault } from './cors.ts'
import { type Bench, standardDocument, startBench } from './test-gateway.ts'

const base = {
  allowOrigins: ['https://app.example.test', 'https://two.example.test'],
  allowCredentials: true,
  allowMethods: ['GET', 'POST'],
  allowHeaders: ['authorization', 'x-own'],
  exposeHeaders: ['x-total'],
  maxAge: 600,
}

describe('CORS', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench(`${standardDocument}
x-amazon-apigateway-cors: ${JSON.stringify(base)}
`)
  })
  after(() => bench.close())

  const preflight = (origin: string, path = '/todos') =>
    bench.send({
      path,
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    })

  it('answers a preflight without a token, for protected and for unknown paths', async () => {
    for (const path of ['/todos', '/nowhere']) {
      const { status, headers, body } = await preflight('https://two.example.test', path)
      assert.deepEqual([status, body], [204, ''])
      assert.equal(headers['access-control-allow-origin'], 'https://two.example.test')
      assert.equal(headers['access-control-allow-credentials'], 'true')
      assert.equal(headers['access-control-allow-methods'], 'GET,POST')
      assert.equal(headers['access-control-allow-headers'], 'authorization,x-own')
      assert.equal(headers['access-control-max-age'], '600')
      assert.equal(headers.vary, 'origin')
      assert.match(headers['apigw-requestid'] as string, /=$/)
    }
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N212 tells a foreign, null or look-alike origin nothing', async () => {
    const origins = ['https://evil.test', 'null', 'https://app.example.test.evil.test', 'http://app.example.test']
    for (const origin of [...origins, 'https://app.example.test:8443', 'https://appXexample.test']) {
      const { status, headers } = await preflight(origin)
      assert.equal(status, 204)
      const told = Object.keys(headers).filter((name) => name.startsWith('access-control-'))
      assert.deepEqual(told, [], origin)
    }
  })

  it('N212 replaces the headers of the upstream with its own, and adds none without an origin', async () => {
    bench.upstream.reply = (_request, response) => {
      response.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }).end()
    }
    const foreign = await bench.send({ path: '/open/a', headers: { origin: 'https://evil.test' } })
    assert.equal(foreign.headers['access-control-allow-origin'], undefined)
    assert.equal(foreign.headers['access-control-allow-credentials'], undefined)
    assert.equal(foreign.headers.vary, 'origin')
    const own = await bench.send({ path: '/open/a', headers: { origin: 'https://app.example.test' } })
    assert.equal(own.headers['access-control-allow-origin'], 'https://app.example.test')
    assert.equal(own.headers['access-control-expose-headers'], 'x-total')
    assert.equal(own.headers['access-control-allow-methods'], undefined)
    assert.equal(own.headers['access-control-max-age'], undefined)
    const none = await bench.send({ path: '/open/a' })
    assert.equal(none.headers['access-control-allow-origin'], undefined)
    bench.upstream.reply = null
  })

  it('lets a page read why it was refused', async () => {
    const { status, headers } = await bench.send({ path: '/todos', headers: { origin: 'https://app.example.test' } })
    assert.equal(status, 401)
    assert.equal(headers['access-control-allow-origin'], 'https://app.example.test')
  })

  it('N212 never combines credentials with a wildcard', () => {
    for (const origin of ['*', 'https://*', 'http://*']) {
      assert.match(corsFault({ ...base, allowOrigins: [origin] }) ?? '', /allow-credentials is not supported/)
    }
    assert.match(corsFault({ ...base, allowOrigins: ['https://*.example.test'] }) ?? '', /wildcard/)
    assert.match(corsFault({ ...base, allowOrigins: ['https://a.test/path'] }) ?? '', /neither an origin/)
    assert.equal(corsFault({ ...base, allowCredentials: false, allowOrigins: ['https://*'] }), null)
  })

  it('keeps what an upstream varies by beside the origin', async () => {
    bench.upstream.reply = (_request, response) => void response.writeHead(200, { vary: 'accept' }).end()
    const { headers } = await bench.send({ path: '/open/a', headers: { origin: 'https://app.example.test' } })
    assert.equal(headers.vary, 'accept, origin')
    bench.upstream.reply = null
  })

  const preflights: [part: Partial<Cors>, origin: string, fields: Record<string, string>][] = [
    [{ allowOrigins: ['*'] }, 'https://a.test', { 'access-control-allow-origin': '*' }],
    [{ allowOrigins: ['*'] }, 'null', { 'access-control-allow-origin': '*' }],
    [
      { allowOrigins: ['https://*'] },
      'https://a.test:8443',
      { 'access-control-allow-origin': 'https://a.test:8443', vary: 'origin' },
    ],
    [
      { allowOrigins: ['https://*'] },
      'HTTPS://A.test',
      { 'access-control-allow-origin': 'HTTPS://A.test', vary: 'origin' },
    ],
    [{ allowOrigins: ['https://*'] }, 'http://a.test', { vary: 'origin' }],
    [{ allowOrigins: ['http://*'] }, 'https://a.test', { vary: 'origin' }],
    [
      { allowOrigins: ['https://a.test'], allowCredentials: true },
      'https://a.test',
      {
        'access-control-allow-origin': 'https://a.test',
        vary: 'origin',
        'access-control-allow-credentials': 'true',
      },
    ],
    [{ allowOrigins: ['https://a.test'], allowCredentials: true }, 'https://b.test', { vary: 'origin' }],
    [
      { allowOrigins: ['capacitor://localhost'] },
      'capacitor://localhost',
      { 'access-control-allow-origin': 'capacitor://localhost', vary: 'origin' },
    ],
    [{ allowOrigins: [] }, 'https://a.test', { vary: 'origin' }],
    [
      { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'] },
      'https://a.test',
      {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': '*',
        'access-control-allow-headers': '*',
      },
    ],
    [
      { allowOrigins: ['*'], maxAge: 0 },
      'https://a.test',
      { 'access-control-allow-origin': '*', 'access-control-max-age': '0' },
    ],
  ]
  for (const [part, origin, expected] of preflights) {
    it(`N212 answers the preflight of ${origin} under ${JSON.stringify(part)} with that and no more`, () => {
      const none = { allowCredentials: false, allowMethods: [], allowHeaders: [], exposeHeaders: ['x-a'], maxAge: null }
      const fields = compileCors({ ...none, allowOrigins: [], ...part }).preflight(origin)
      const pairs = fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]!]] : []))
      assert.deepEqual(Object.fromEntries(pairs), expected)
    })
  }

  it('takes scheme wildcards for that scheme only', () => {
    const cors = compileCors({ ...base, allowCredentials: false, allowOrigins: ['https://*'] })
    assert.equal(cors.answer('https://any.test')[1], 'https://any.test')
    assert.deepEqual(cors.answer('http://any.test'), ['vary', 'origin'])
    assert.deepEqual(cors.answer('null'), ['vary', 'origin'])
    const open = compileCors({ ...base, allowCredentials: false, allowOrigins: ['*'] })
    assert.equal(open.answer('https://any.test')[1], '*')
  })
})

describe('the preflight of a guarded route', () => {
  const route = (key: string, security: string): string => `
  ${key}:
    ${key === '/$default' || key.endsWith('+}') ? 'x-amazon-apigateway-any-method' : 'get'}:
      ${key === '/$default' ? 'isDefaultRoute: true' : 'summary: x'}
      security: ${security}
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/x" }`
  const document = (paths: string): string =>
    `${standardDocument.slice(0, standardDocument.indexOf('paths:'))}
x-amazon-apigateway-cors: ${JSON.stringify(base)}
paths:${paths}
`
  const options = `
  /{proxy+}:
    options:
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/options" }`
  const guarded = '[{ tenants: [] }]'
  const asked = { origin: 'https://app.example.test', 'access-control-request-method': 'GET' }

  const table: [paths: string, path: string, status: number, told: number][] = [
    [route('/items', guarded), '/items', 204, 0],
    [route('/items', guarded), '/nowhere', 204, 0],
    [route('/items/{proxy+}', guarded), '/items/1', 401, 1],
    [route('/$default', guarded), '/items', 401, 1],
    [route('/$default', guarded) + options, '/items', 204, 0],
    [route('/items/{proxy+}', guarded) + options, '/items/1', 401, 1],
    [route('/items/{proxy+}', guarded) + options.replace('/{proxy+}:', '/items/{all}:'), '/items/1', 204, 0],
    [route('/$default', '[]'), '/items', 204, 0],
  ]
  for (const [index, [paths, path, status, told]] of table.entries()) {
    it(`is answered ${status} to ${path} without a token, as AWS does, and the import says so (${index + 1})`, async () => {
      const bench = await startBench(document(paths))
      const { info } = await bench.load(document(paths))
      const about = info.filter(({ message }) => /preflight to the route/.test(message))
      assert.equal(about.length, told)
      const answer = await bench.send({ path, method: 'OPTIONS', headers: asked })
      assert.equal(answer.status, status)
      assert.equal(answer.headers['access-control-allow-origin'], asked.origin, 'a page may read the refusal')
      const allowed = await bench.send({ path, method: 'OPTIONS', headers: asked, token: bench.issuer.mint() })
      assert.deepEqual([allowed.status, allowed.headers['access-control-allow-methods']], [204, 'GET,POST'])
      assert.deepEqual(bench.upstream.seen, [], 'an integration is never asked')
      await bench.close()
    })
  }

  it('is one only with an origin and the method that is meant; any other OPTIONS goes its way', async () => {
    const bench = await startBench(document(route('/items', guarded) + options))
    for (const headers of [{ origin: asked.origin }, { 'access-control-request-method': 'GET' }, {}]) {
      const answer = await bench.send({ path: '/items', method: 'OPTIONS', headers })
      assert.equal(answer.status, 200)
      assert.equal(bench.upstream.seen.pop()?.url, '/options')
      assert.equal(answer.headers['access-control-allow-methods'], undefined)
    }
    assert.equal((await bench.send({ path: '/items', headers: asked })).status, 401)
    const twice = ['origin', asked.origin, 'origin', 'https://evil.test', 'access-control-request-method', 'GET']
    assert.equal((await bench.send({ path: '/items', method: 'OPTIONS', headers: twice })).status, 400)
    await bench.close()
  })
})
