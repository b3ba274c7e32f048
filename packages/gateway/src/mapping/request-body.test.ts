import assert from 'node:assert/strict'
import net from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { type Bench, startBench } from '../test-gateway.ts'
import type { Parameters } from './rules.ts'

const document = `
openapi: 3.0.1
paths:
  /hooks:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/hooks" }
`

describe('mappings from a request’s body', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench(document)
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
  })

  const map = (requestParameters: Parameters): Promise<void> => bench.serve(document, { requestParameters })
  const post = async (body: string | Buffer, headers = {}) => {
    const { status } = await bench.send({ path: '/hooks', method: 'POST', body, headers })
    return { status, seen: bench.upstream.seen.pop() }
  }

  it('read members and indexes, and pass the body on unchanged', async () => {
    await map({
      'overwrite:header.x-id': '$request.body.order.id',
      'overwrite:header.x-first': '$request.body.items[0].name',
      'overwrite:header.x-odd': "$request.body['odd name']",
      'overwrite:header.x-list': '$request.body.items[1]',
      'overwrite:header.x-none': '$request.body.constructor',
      'overwrite:querystring.paid': '$request.body.paid',
    })
    const body = '{ "order": {"id": 12.5}, "items": [{"name":"ä"}, {"b":[1]}], "odd name": "x", "paid": true }'
    const { status, seen } = await post(body, { 'x-none': 'mine' })
    assert.equal(status, 200)
    const { headers } = seen!
    assert.deepEqual([headers['x-id'], headers['x-odd'], headers['x-list']], ['12.5', 'x', '{"b":[1]}'])
    assert.equal(Buffer.from(headers['x-first'] as string, 'latin1').toString(), 'ä')
    assert.equal(headers['x-none'], undefined)
    assert.equal(seen?.url, '/hooks?paid=true')
    assert.equal(seen?.body.toString(), body)
  })

  it('find nothing where there is no body, and drop the client’s own value then', async () => {
    await map({ 'overwrite:header.x-id': '$request.body.id' })
    const { status } = await bench.send({ path: '/hooks', headers: { 'x-id': 'mine' } })
    assert.equal(status, 200)
    assert.equal(bench.upstream.seen[0]?.headers['x-id'], undefined)
    assert.equal((await post('{"id":null}', { 'x-id': 'mine' })).seen?.headers['x-id'], undefined)
  })

  it('N222 refuse a body that is longer than 100 KB, no JSON object, or readable in two ways', async () => {
    await map({ 'overwrite:header.x-id': '$request.body.id' })
    const fits = `{"id":"a","pad":"${'p'.repeat(102_400 - 19)}"}`
    assert.equal(fits.length, 102_400)
    const honest = await post(fits)
    assert.deepEqual([honest.status, honest.seen?.headers['x-id'], honest.seen?.body.length], [200, 'a', 102_400])
    const hostile = [
      ...[`${fits} `, 'id=a', '[{"id":"a"}]', '"a"', '{"id":"a"', '{"id":"a","id":"b"}', '{"id":"a","\\u0069d":"b"}'],
      ...['{"id":9007199254740993}', '{"id":1e400}', '{"id":"a\\nx: y"}', Buffer.from('{"id":"\xff"}', 'latin1')],
    ]
    for (const body of hostile) {
      const { status, seen } = await post(body)
      assert.deepEqual([status, seen], [400, undefined], body.toString('latin1').slice(0, 40))
    }
    assert.equal((await post('{"id":{"__proto__":1}}')).seen?.headers['x-id'], '{"__proto__":1}')
  })

  it('map a whole body that fits into a head, and refuse a larger one without reading it', async () => {
    await map({ 'overwrite:header.x-body': '$request.body' })
    assert.equal((await post('a=b')).seen?.headers['x-body'], 'a=b')
    const socket = net.connect(bench.port, '127.0.0.1')
    socket.write('POST /hooks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4000\r\n')
    socket.write('x'.repeat(0x4000))
    const answer = await new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())))
    assert.match(answer, /^HTTP\/1\.1 431 [\s\S]*connection: close/)
    socket.destroy()
    assert.deepEqual(bench.upstream.seen, [])
  })

  it('pass a large body on behind the part that was read', async () => {
    await map({ 'overwrite:header.x-a': '$request.header.a' })
    const body = Buffer.alloc(3_000_000, 'abc')
    assert.ok((await post(body)).seen?.body.equals(body))
    await map({ 'overwrite:header.x-id': '$request.body.id' })
    const waits = 'POST /hooks HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\n'
    const answer = await bench.raw(`${waits}transfer-encoding: chunked\r\n\r\na\r\n{"id":"x"}\r\n0\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    assert.equal(bench.upstream.seen[0]?.headers['x-id'], 'x')
  })

  it('N201 forward nothing of a body that turns into nonsense or ends early while it is read', async () => {
    await map({ 'overwrite:header.x-id': '$request.body.id' })
    const chunked = 'POST /hooks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
    assert.match(await bench.raw(`${chunked}a\r\n{"id":"x"}\r\nzz\r\n`), /^HTTP\/1\.1 400 [\s\S]*connection: close/)
    bench.logLines.length = 0
    const socket = net.connect(bench.port, '127.0.0.1')
    await new Promise((resolve) => socket.write(`${chunked}5\r\n{"id"\r\n`, resolve))
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    while (bench.logLines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(bench.logLines[0]?.status, 400)
    assert.deepEqual(bench.upstream.seen, [])
  })
})
