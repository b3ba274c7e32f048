import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
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

  it('takes scheme wildcards for that scheme only', () => {
    const cors = compileCors({ ...base, allowCredentials: false, allowOrigins: ['https://*'] })
    assert.equal(cors.answer('https://any.test')[1], 'https://any.test')
    assert.deepEqual(cors.answer('http://any.test'), ['vary', 'origin'])
    assert.deepEqual(cors.answer('null'), ['vary', 'origin'])
    const open = compileCors({ ...base, allowCredentials: false, allowOrigins: ['*'] })
    assert.equal(open.answer('https://any.test')[1], '*')
  })
})
