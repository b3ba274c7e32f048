import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { pino } from 'pino'
import type { Endpoint } from './api.ts'
import { createGateway } from './gateway.ts'
import { type Bench, standardDocument, startBench } from './test-gateway.ts'

describe('the gateway', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await startBench()
  })
  afterEach(() => bench.close())

  /** The next request to the upstream, which is under way until it is answered here. */
  const heldReply = (): Promise<ServerResponse> =>
    new Promise((resolve) => {
      bench.upstream.reply = (_request, response) => resolve(response)
    })

  it('N34 answers 500 and forwards nothing when an authorizer fails unexpectedly', async () => {
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/pets/1', token })).status, 200)
    bench.upstream.seen.length = 0
    const { now } = bench.clock
    let calls = 0
    bench.clock.now = () => {
      // The second time of a request is the one its token is compared with.
      if (calls++ === 1) throw new Error('no time')
      return now()
    }
    const answer = await bench.send({ path: '/pets/1', token })
    assert.equal(answer.status, 500)
    assert.equal(answer.body, '{"message":"Internal Server Error"}')
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.equal(answer.headers['content-length'], '35')
    assert.equal(bench.upstream.seen.length, 0)
    assert.ok(bench.logLines.some(({ msg, err }) => msg === 'request failed' && /no time/.test(JSON.stringify(err))))
  })

  it('chooses the API by host, whatever its case and port, and answers 404 for any other', async () => {
    const document = (path: string): string => `
openapi: 3.0.1
paths:
  ${path}: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "\${stageVariables.upstream}${path}" } } }
`
    const endpoint = (id: string): Endpoint => ({ host: `${id}.execute-api.localhost`, basePath: '', kind: 'stage' })
    const one = { ...(await bench.load(document('/one'))).api, id: 'one', endpoints: [endpoint('one')] }
    const two = { ...(await bench.load(document('/two'))).api, id: 'two', endpoints: [endpoint('two')] }
    bench.gateway.replace([one, two])
    const status = async (host: string, path: string): Promise<number> =>
      (await bench.send({ path, headers: { host } })).status
    assert.equal(await status('one.execute-api.localhost', '/one'), 200)
    assert.equal(await status('ONE.execute-api.localhost:8080', '/one'), 200)
    assert.equal(await status('one.execute-api.localhost', '/two'), 404)
    assert.equal(await status('two.execute-api.localhost', '/two'), 200)
    assert.equal(await status('three.execute-api.localhost', '/one'), 404)
    assert.throws(() => bench.gateway.replace([one, { ...two, endpoints: one.endpoints }]), /claimed by two APIs/)
    assert.equal(await status('two.execute-api.localhost', '/two'), 200)
  })

  it('replaces an API at once, keeps keys and tokens of unchanged authorizers, and finishes what is under way', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    assert.equal((await bench.send({ path: '/todos', token })).status, 200)
    const fetched = bench.issuer.requests.length
    const held = heldReply()
    const underWay = bench.send({ path: '/todos', token })
    const response = await held
    const { api } = await bench.load(standardDocument.replace('/todos:', '/tasks:'))
    bench.issuer.requests.length = fetched
    bench.gateway.replace([api])
    response.end('old')
    assert.equal((await underWay).body, 'old')
    bench.upstream.reply = null
    assert.equal((await bench.send({ path: '/tasks', token })).status, 200)
    assert.equal(bench.issuer.requests.length, fetched)
  })

  it('takes the token from the query string where the authorizer says so, and then from there alone', async () => {
    const source = '$request.querystring.access'
    const { api } = await bench.load(standardDocument.replace('$request.header.Authorization', source))
    bench.gateway.replace([api])
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: `/pets/1?access=${token}` })).status, 200)
    assert.equal((await bench.send({ path: '/pets/1', token })).headers['www-authenticate'], 'Bearer')
    assert.equal((await bench.send({ path: `/pets/1?Access=${token}` })).status, 401)
    assert.equal((await bench.send({ path: `/pets/1?access=${token}&access=${token}` })).status, 401)
    assert.doesNotMatch(JSON.stringify(bench.logLines), /eyJ/)
  })

  it('gives one API no use of what another has verified', async () => {
    const strict = standardDocument.replace(
      'audience: ["https://api.example.test"]',
      'audience: ["https://other.test"]',
    )
    const { api: first } = await bench.load(standardDocument)
    const { api: second } = await bench.load(strict)
    bench.gateway.replace([
      { ...first, id: 'first', endpoints: [{ host: 'first.test', basePath: '', kind: 'mapping' }] },
      { ...second, id: 'second', endpoints: [{ host: 'second.test', basePath: '', kind: 'mapping' }] },
    ])
    const headers = (host: string, token: string) => ({ host, authorization: `Bearer ${token}` })
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/pets/1', headers: headers('first.test', token) })).status, 200)
    assert.equal((await bench.send({ path: '/pets/1', headers: headers('second.test', token) })).status, 401)
  })

  it('finishes what is under way before it closes, and keeps no idle connection open', async () => {
    const { api } = await bench.load(standardDocument)
    const other = createGateway({ apis: [api], clock: bench.clock, logger: pino({ level: 'silent' }) })
    const { port } = await other.listen(0, '127.0.0.1')
    const held = heldReply()
    const answer = fetch(`http://127.0.0.1:${port}/open/a`).then((response) => response.text())
    const response = await held
    const closing = other.close()
    response.end('late')
    assert.equal(await answer, 'late')
    await closing
    assert.equal(other.server.listening, false)
  })

  it('says which port is taken', async () => {
    const { api } = await bench.load(standardDocument)
    const other = createGateway({ apis: [api], clock: bench.clock, logger: pino({ level: 'silent' }) })
    await assert.rejects(other.listen(bench.port, '127.0.0.1'), { code: 'EADDRINUSE', port: bench.port })
  })
})
