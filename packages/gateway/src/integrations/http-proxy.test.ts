import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { canonicalPath } from '../routing/path.ts'
import { parseRouteKey } from '../routing/route-key.ts'
import { type Bench, standardDocument, startBench } from '../test-gateway.ts'
import { compileUri } from './uri.ts'

const unavailable = '{"message":"Service Unavailable"}'

describe('the HTTP proxy integration', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
    bench.upstream.reply = null
  })

  it('passes method, query, headers and body on, and the answer back', async () => {
    bench.upstream.reply = (request, response) => {
      request.resume().on('end', () => {
        const cookies = ['a=1', 'b=2']
        response.writeHead(418, { 'content-type': 'text/plain', 'set-cookie': cookies, 'x-up': 'yes' }).end('short')
      })
    }
    const answer = await bench.send({ path: '/open/a?b=c', method: 'PUT', body: 'hello', headers: { 'x-own': 'kept' } })
    assert.equal(answer.status, 418)
    assert.equal(answer.body, 'short')
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
    assert.equal(answer.headers['x-up'], 'yes')
    assert.match(answer.headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
    bench.upstream.reply = null
    await bench.send({ path: '/open/a?b=c', method: 'PUT', body: 'hello', headers: { 'x-own': 'kept' } })
    const { method, url, headers, body } = bench.upstream.seen[0]!
    assert.deepEqual([method, url, headers['x-own'], body.toString()], ['PUT', '/base/a?b=c', 'kept', 'hello'])
    assert.equal(headers.host, new URL(bench.upstream.url).host)
  })

  it('keeps bytes intact in both directions, large and binary', async () => {
    const blob = Buffer.alloc(3_000_000, Buffer.from([0, 255, 128, 10, 13]))
    bench.upstream.reply = (request, response) => void request.pipe(response)
    const answer = await bench.raw(
      Buffer.concat([
        Buffer.from(`POST /open/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${blob.length}\r\n\r\n`),
        blob,
      ]),
    )
    assert.match(answer, /^HTTP\/1\.1 200 /)
    const chunks = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    let rest = chunks
    let body = ''
    while (rest !== '') {
      const line = rest.indexOf('\r\n')
      const size = Number.parseInt(rest.slice(0, line), 16)
      body += rest.slice(line + 2, line + 2 + size)
      rest = size === 0 ? '' : rest.slice(line + 4 + size)
    }
    assert.ok(Buffer.from(body, 'latin1').equals(blob))
  })

  it('N202 replaces what clients say about themselves, in every spelling', async () => {
    const spoofed = ['X-Forwarded-For', '6.6.6.6', 'x_forwarded_for', '6.6.6.6', 'Forwarded', 'for=6.6.6.6']
    const internal = ['X-Amzn-Oidc-Identity', 'root', 'x_amzn_oidc_identity', 'root', 'apigw-requestid', 'mine']
    const via = [
      'Via',
      '1.1 evil',
      'X-Real-IP',
      '6.6.6.6',
      'X-Forwarded-Host',
      'evil.test',
      'X-Forwarded-Proto',
      'https',
    ]
    await bench.send({ path: '/open/a', headers: [...spoofed, ...internal, ...via] })
    const { headers } = bench.upstream.seen[0]!
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers['x-forwarded-host'], 'gateway.test')
    assert.equal(headers['x-forwarded-proto'], 'http')
    assert.equal(headers.forwarded, 'for=127.0.0.1;host=gateway.test;proto=http')
    assert.doesNotMatch(JSON.stringify(headers), /6\.6\.6\.6|root|mine|evil/)
  })

  it('N203 removes hop-by-hop headers before it adds its own', async () => {
    const headers = [
      ...['Connection', 'close, X-Forwarded-For, X-Once', 'X-Once', '1', 'Keep-Alive', 'timeout=9', 'TE', 'trailers'],
      ...['Proxy-Authorization', 'Basic eA==', 'Proxy-Connection', 'keep-alive', 'X-Kept', '1'],
    ]
    await bench.send({ path: '/open/a', headers })
    const seen = bench.upstream.seen[0]!.headers
    assert.equal(seen['x-forwarded-for'], '127.0.0.1')
    assert.equal(seen['x-kept'], '1')
    for (const name of ['x-once', 'keep-alive', 'te', 'proxy-authorization', 'proxy-connection']) {
      assert.equal(seen[name], undefined, name)
    }
  })

  it('N203 cannot be made to check a token and then drop it unseen: without it the upstream sees none', async () => {
    const token = bench.issuer.mint()
    const headers = ['Authorization', `Bearer ${token}`, 'Connection', 'close, authorization']
    assert.equal((await bench.send({ path: '/pets/1', headers })).status, 200)
    assert.equal(bench.upstream.seen[0]!.headers.authorization, undefined)
  })

  it('removes hop-by-hop headers and its own namespace from answers', async () => {
    bench.upstream.reply = (_request, response) => {
      response.writeHead(200, [
        ...[
          'Connection',
          'keep-alive, x-hop',
          'X-Hop',
          '1',
          'Proxy-Authenticate',
          'Basic',
          'Apigw-RequestId',
          'forged',
        ],
        ...['Content-Length', '2'],
      ])
      response.end('ok')
    }
    const answer = await bench.send({ path: '/open/a' })
    assert.equal(answer.body, 'ok')
    assert.equal(answer.headers['x-hop'], undefined)
    assert.equal(answer.headers['proxy-authenticate'], undefined)
    assert.match(answer.headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
  })

  it('answers HEAD, 204 and 304 without a body and goes on with the connection', async () => {
    for (const status of [204, 304]) {
      bench.upstream.reply = (_request, response) => void response.writeHead(status).end()
      const answer = await bench.send({ path: '/open/a' })
      assert.deepEqual([answer.status, answer.body], [status, ''])
    }
    bench.upstream.reply = (_request, response) => void response.writeHead(200, { 'content-length': '5' }).end()
    const head = await bench.send({ path: '/open/a', method: 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', ''])
  })

  it('answers 503 without content-type when the upstream is slower than the timeout', async () => {
    bench.upstream.reply = () => undefined
    await bench.serve(standardDocument, { timeoutMs: 300 })
    const answer = await bench.send({ path: '/open/a' })
    await bench.serve(standardDocument, {})
    assert.deepEqual([answer.status, answer.body], [503, unavailable])
    assert.equal(answer.headers['content-length'], '33')
    assert.equal(answer.headers['content-type'], undefined)
    assert.match(answer.headers['apigw-requestid'] as string, /=$/)
  })

  it('answers 503 when the upstream breaks off before its answer', async () => {
    bench.upstream.reply = (request) => void request.socket.destroy()
    const answer = await bench.send({ path: '/open/a' })
    assert.deepEqual([answer.status, answer.body], [503, unavailable])
  })

  it('N220 breaks the connection when the upstream breaks off within its answer', async () => {
    bench.upstream.reply = (request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('half of it', () => request.socket.destroy())
    }
    await assert.rejects(bench.send({ path: '/open/a' }))
    bench.upstream.reply = null
    assert.equal((await bench.send({ path: '/open/a' })).status, 200)
  })

  it('N214 refuses Upgrade, CONNECT and TRACE', async () => {
    const upgrade = 'connection: close, upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n'
    const websocket = 'connection: close, upgrade\r\nupgrade: websocket\r\nsec-websocket-key: eA==\r\n'
    for (const headers of [upgrade, websocket]) {
      const answer = await bench.raw(`GET /open/a HTTP/1.1\r\nhost: a\r\n${headers}\r\n`)
      assert.match(answer, /^HTTP\/1\.1 400 /)
    }
    assert.match(await bench.raw('CONNECT other.test:443 HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 404 /)
    assert.match(await bench.raw('TRACE /open/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 404 /)
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('sends 100 Continue only for a request that is forwarded', async () => {
    const head = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n`
    const refused = await bench.raw(head('/todos'))
    assert.match(refused, /^HTTP\/1\.1 401 /)
    const forwarded = await bench.raw(`${head('/open/a')}ok`)
    assert.match(forwarded, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    assert.equal(bench.upstream.seen[0]?.body.toString(), 'ok')
  })

  it('N215 takes a body of 10 MB and refuses one byte more, declared or chunked', async () => {
    const limit = 10 * 1024 * 1024
    const fits = await bench.send({ path: '/open/a', method: 'POST', body: Buffer.alloc(limit) })
    assert.equal(fits.body, `{"method":"POST","url":"/base/a","bytes":${limit}}`)
    bench.upstream.seen.length = 0
    const close = 'host: a\r\nconnection: close\r\n'
    const declared = await bench.raw(`POST /open/a HTTP/1.1\r\n${close}content-length: ${limit + 1}\r\n\r\n`)
    assert.match(declared, /^HTTP\/1\.1 413 [\s\S]*\{"message":"Request Entity Too Large"\}$/)
    const chunk = Buffer.concat([Buffer.from('a00001\r\n'), Buffer.alloc(limit + 1), Buffer.from('\r\n0\r\n\r\n')])
    const chunkedHead = Buffer.from(`POST /open/a HTTP/1.1\r\n${close}transfer-encoding: chunked\r\n\r\n`)
    assert.match(await bench.raw(Buffer.concat([chunkedHead, chunk])), /^HTTP\/1\.1 413 /)
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N215 takes a head of 10,240 bytes and refuses one byte more', async () => {
    const fixed = 'GET /open/a HTTP/1.1'.length + 'a'.length + 'close'.length
    const request = (bytes: number): string =>
      `GET /open/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-pad: ${'p'.repeat(bytes - fixed)}\r\n\r\n`
    assert.match(await bench.raw(request(10_240)), /^HTTP\/1\.1 200 /)
    assert.match(await bench.raw(request(10_241)), /^HTTP\/1\.1 431 [\s\S]*apigw-requestid: /)
    assert.match(await bench.raw(request(100_000)), /^HTTP\/1\.1 431 [\s\S]*apigw-requestid: /)
  })
})

describe('N213 an integration URI', () => {
  const compile = (uri: string, key = 'ANY /shop/{proxy+}', variables = {}) => {
    const parsed = parseRouteKey(key)
    assert.ok(typeof parsed !== 'string')
    return compileUri(uri, key === '$default' ? null : parsed.segments, variables)
  }
  const target = (uri: string, path: string, key?: string): string => compile(uri, key).target(canonicalPath(path)!)

  it('takes no parameter, user or unknown variable into its host', () => {
    const hosts = [
      'http://{proxy}/',
      'http://up.test{proxy}',
      'http://{proxy}.up.test/',
      'http://a@{proxy}/',
      '{proxy}',
    ]
    const others = [
      'http://u:p@up.test/',
      'file:///etc/passwd',
      'http://up.test/#{proxy}',
      `http://\${other}/`,
      'http://',
    ]
    for (const uri of [...hosts, ...others]) assert.throws(() => compile(uri), Error, uri)
    assert.throws(() => compile(`http://\${stageVariables.up}/`, undefined, { up: 'evil.test/{proxy}' }), /braces/)
    assert.throws(() => compile('http://up.test/{id}'), /\{id\}/)
    assert.throws(() => compile(`http://\${stageVariables.up}/`), /"up" has no value/)
  })

  it('keeps its origin whatever the parameters hold', () => {
    assert.equal(target('http://up.test/v2/{proxy}', '/shop/@evil.test/a'), '/v2/@evil.test/a')
    assert.equal(target('http://up.test/v2?x={proxy}', '/shop/a&b=c'), '/v2?x=a%26b%3Dc')
    assert.equal(compile('http://up.test:8080/v2/{proxy}').origin, 'http://up.test:8080')
  })

  it('passes the whole path on for $default', () => {
    assert.equal(target('http://up.test/v2', '/a/b%20c', '$default'), '/v2/a/b%20c')
    assert.equal(target('http://up.test/v2/{proxy}', '/a/b', '$default'), '/v2/a/b')
    assert.equal(target('http://up.test', '/', '$default'), '/')
  })
})
