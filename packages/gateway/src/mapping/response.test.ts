import assert from 'node:assert/strict'
import type http from 'node:http'
import { after, afterEach, before, describe, it } from 'node:test'
import { type Bench, standardDocument, startBench } from '../test-gateway.ts'
import type { Parameters } from './rules.ts'

describe('response mappings', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.reply = null
  })

  const map = (responseParameters: Record<string, Parameters>): Promise<void> =>
    bench.serve(standardDocument, { responseParameters })
  const reply = (status: number, headers: http.OutgoingHttpHeaders, body = ''): void => {
    bench.upstream.reply = (request, response) => {
      request.resume()
      response.writeHead(status, headers).end(body)
    }
  }
  const get = (method = 'GET') => bench.send({ path: '/open/a', method })

  it('change headers and status of the statuses they name, and of no other', async () => {
    await map({
      200: {
        'append:header.x-b': '$response.header.x-a',
        'overwrite:header.server': 'gateway',
        'remove:header.x-a': "''",
        'overwrite:header.x-request': '$context.requestId',
        'overwrite:header.x-gone': '$response.header.x-absent',
      },
      404: { 'overwrite:statuscode': '403', 'append:header.x-was': '$context.integration.status' },
    })
    reply(200, { 'x-a': '1', 'x-b': '0', server: 'Old/1.0', 'x-gone': 'stale', 'set-cookie': ['a=1', 'b=2'] }, 'body')
    const ok = await get()
    assert.deepEqual([ok.status, ok.body], [200, 'body'])
    assert.deepEqual([ok.headers['x-b'], ok.headers.server, ok.headers['x-a']], ['0, 1', 'gateway', undefined])
    assert.equal(ok.headers['x-request'], ok.headers['apigw-requestid'])
    assert.equal(ok.headers['x-gone'], undefined)
    assert.deepEqual(ok.headers['set-cookie'], ['a=1', 'b=2'])
    reply(404, { 'x-a': '1' }, 'nothing here')
    const missing = await get()
    assert.deepEqual([missing.status, missing.headers['x-a'], missing.body], [403, '1', 'nothing here'])
    assert.equal(missing.headers['x-was'], '404')
    reply(500, { 'x-a': '1' })
    assert.deepEqual([(await get()).status, (await get()).headers['x-a']], [500, '1'])
  })

  it('read the body without changing it, in one piece, many, or without a length', async () => {
    await map({
      200: { 'overwrite:header.x-id': '$response.body.order.id', 'overwrite:statuscode': '$response.body.code' },
    })
    const text = '{"order":{"id":"o-1"},"code":202}'
    reply(200, { 'content-length': text.length, 'x-id': 'old' }, text)
    const whole = await get()
    assert.deepEqual([whole.status, whole.headers['x-id'], whole.body], [202, 'o-1', text])
    bench.upstream.reply = (_request, response) => {
      for (const character of text) response.write(character)
      response.end()
    }
    const pieces = await get()
    assert.deepEqual([pieces.status, pieces.headers['x-id'], pieces.body], [202, 'o-1', text])
    reply(200, { 'x-id': 'old' })
    assert.deepEqual([(await get('HEAD')).status, (await get()).headers['x-id']], [200, undefined])
  })

  it('N222 find nothing in a body over 100 KB or without one reading, and still pass it on whole', async () => {
    await map({ 200: { 'overwrite:header.x-id': '$response.body.id' } })
    const large = `{"id":"a","pad":"${'p'.repeat(400_000)}"}`
    for (const body of [
      large,
      'text',
      '{"id":"a","id":"b"}',
      '{"id":"a\\r\\nx-admin: 1"}',
      '{"id":9007199254740993}',
    ]) {
      reply(200, { 'x-id': 'old' }, body)
      const answer = await get()
      assert.deepEqual([answer.headers['x-id'], answer.headers['x-admin']], [undefined, undefined])
      assert.equal(answer.body, body)
    }
    reply(200, {}, '{"id":"b"}')
    assert.equal((await get()).headers['x-id'], 'b')
  })

  it('N220 frame an answer whose status gains or loses its body', async () => {
    await map({
      200: { 'overwrite:statuscode': '204' },
      304: { 'overwrite:statuscode': '200' },
      204: { 'overwrite:statuscode': '201' },
      201: { 'overwrite:statuscode': '$response.header.x-code' },
    })
    reply(200, { 'content-length': 5 }, 'hello')
    const gone = await get()
    assert.deepEqual([gone.status, gone.body, gone.headers['content-length']], [204, '', undefined])
    reply(304, { 'content-length': 5 })
    assert.deepEqual([(await get()).status, (await get()).body], [200, ''])
    reply(204, {})
    assert.deepEqual([(await get()).status, (await get()).body], [201, ''])
    reply(201, { 'x-code': '99' }, 'made')
    assert.deepEqual([(await get()).status, (await get()).body], [201, 'made'])
  })

  it('answer 503 for an upstream that breaks off while its body is read', async () => {
    await map({ 200: { 'overwrite:header.x-id': '$response.body.id' } })
    bench.upstream.reply = (request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"id":', () => request.socket.destroy())
    }
    const answer = await get()
    assert.deepEqual([answer.status, answer.body], [503, '{"message":"Service Unavailable"}'])
  })
})
