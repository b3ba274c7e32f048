import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Api } from '../api.ts'
import { type Bench, startBench } from '../test-gateway.ts'
import { type MetricsServer, serveMetrics } from './server.ts'

describe('metrics', () => {
  let bench: Bench
  let api: Api
  let server: MetricsServer
  before(async () => {
    bench = await startBench()
    api = (await bench.load(bench.document)).api
    server = await serveMetrics(0, () => bench.gateway.metrics())
  })
  after(async () => {
    await server.close()
    await bench.close()
  })

  const scrape = (options: http.RequestOptions = {}): Promise<{ status: number; type: string; text: string }> =>
    new Promise((resolve, reject) => {
      const request = http.request({ port: server.port, path: '/metrics', agent: false, ...options }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () =>
          resolve({ status: response.statusCode!, type: String(response.headers['content-type']), text }),
        )
      })
      request.on('error', reject).end()
    })
  const values = async (): Promise<Map<string, number>> => {
    // An answer is counted when it has been written, which may be after it was read.
    await wait(50)
    const { text } = await scrape()
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    for (const line of samples) assert.match(line, /^[a-z_]+\{[^{}]*\} [\d.e+-]+$/)
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    )
  }

  it('count requests, errors, bytes and latencies by API and stage', async () => {
    bench.gateway.replace([{ ...api, id: 'counted' }])
    await bench.send({ path: '/open/a', method: 'POST', body: 'abcde' })
    await bench.send({ path: '/todos' })
    bench.upstream.reply = (request, response) => void request.resume().on('end', () => response.socket!.destroy())
    await bench.send({ path: '/open/a' })
    bench.upstream.reply = null
    const found = await values()
    const of = (name: string): number | undefined =>
      found.get(`tenantry_gateway_${name}{api="counted",stage="$default"}`)
    assert.equal(of('requests_total'), 3)
    assert.equal(of('client_errors_total'), 1)
    assert.equal(of('server_errors_total'), 1)
    // The echo of the first, and the gateway's own two answers.
    const echo = JSON.stringify({ method: 'POST', url: '/base/a', bytes: 5 }).length
    assert.equal(of('data_processed_bytes_total'), 5 + echo + 26 + 33)
    assert.equal(of('latency_seconds_count'), 3)
    assert.equal(of('integration_latency_seconds_count'), 1)
    const bucket = 'tenantry_gateway_latency_seconds_bucket{api="counted",stage="$default",le="+Inf"}'
    assert.equal(found.get(bucket), 3)
  })

  it('count a route by itself only where a stage asks for it', async () => {
    const stage = { ...api.stage, detailedMetrics: { stage: false, routes: { 'GET /todos': true } } }
    bench.gateway.replace([{ ...api, id: 'detailed', stage }])
    await bench.send({ path: '/todos' })
    await bench.send({ path: '/open/a' })
    const found = await values()
    const routes = [...found].filter(([name]) => name.startsWith('tenantry_gateway_route_requests_total'))
    assert.deepEqual(routes, [
      ['tenantry_gateway_route_requests_total{api="detailed",stage="$default",route="GET /todos"}', 1],
    ])
    assert.equal(found.get('tenantry_gateway_requests_total{api="detailed",stage="$default"}'), 2)
  })

  it('grow with the configuration and with nothing a client sends', async () => {
    bench.gateway.replace([{ ...api, id: 'bounded' }])
    const before = await values()
    for (let i = 0; i < 20; i++) {
      const token = bench.issuer.mint({ org_id: `org_${i}`, scope: 'read:todos' })
      await bench.send({ path: `/open/${i}`, headers: { host: `h${i}.test` } })
      await bench.send({ path: '/todos', token })
      await bench.send({ path: `/a//${i}`, headers: { 'user-agent': `a${i}` } })
    }
    const after = await values()
    assert.deepEqual([...after.keys()], [...before.keys()])
    assert.ok(![...after.keys()].some((name) => name.includes('api="detailed"')))
  })

  it('keep counting through a change of configuration, and count what reaches no API', async () => {
    const served: Api = { ...api, id: 'kept', endpoints: [{ host: 'kept.test', basePath: '', kind: 'mapping' }] }
    bench.gateway.replace([served])
    const before = (await values()).get('tenantry_gateway_requests_total{api="",stage=""}')!
    await bench.send({ path: '/open/a', headers: { host: 'kept.test' } })
    bench.gateway.replace([{ ...served, description: 'changed' }])
    await bench.send({ path: '/open/a', headers: { host: 'kept.test' } })
    await bench.send({ path: '/open/a', headers: { host: 'elsewhere.test' } })
    const found = await values()
    assert.equal(found.get('tenantry_gateway_requests_total{api="kept",stage="$default"}'), 2)
    assert.equal(found.get('tenantry_gateway_requests_total{api="",stage=""}'), before + 1)
  })

  it('are read on their own port alone, by this machine alone', async () => {
    assert.equal((await bench.send({ path: '/metrics' })).status, 404)
    const { status, type, text } = await scrape()
    assert.deepEqual([status, type], [200, 'text/plain; version=0.0.4; charset=utf-8'])
    assert.match(
      text,
      /^# HELP tenantry_gateway_requests_total Requests answered\.\n# TYPE tenantry_gateway_requests_total counter\n/,
    )
    assert.equal((await scrape({ headers: { host: 'rebound.example' } })).status, 403)
    assert.equal((await scrape({ path: '/' })).status, 404)
    assert.equal((await scrape({ method: 'POST' })).status, 405)
  })
})
