/**
 * What breaks around a gateway while requests go through it. The faults of issuers stand in `authorizers/key-set.test.ts`
 * (gone, rotating under load), those of changes that come from the control plane in `control-plane/live.test.ts`.
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Api } from './api.ts'
import { type Bench, type Received, replaceOrThrow, startBench } from './test-gateway.ts'

const document = `
openapi: 3.0.1
info: { title: faults, version: "1" }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["https://api.example.test"] }
paths:
  /restarted/{id}: { x-amazon-apigateway-any-method: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "<other>/{id}" } } }
  /steady/{id}: { x-amazon-apigateway-any-method: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/{id}" } } }
`

interface Asked {
  readonly id: string
  readonly answer: Received
}

interface Load {
  /** What was asked and has not been answered. */
  readonly pending: ReadonlySet<string>
  /** What was answered. */
  readonly asked: readonly Asked[]
  end(): Promise<Asked[]>
}

describe('under load', () => {
  let bench: Bench
  let upstream: Restartable
  beforeEach(async () => {
    bench = await startBench()
    upstream = await startRestartable()
    // Slow enough that some are always under way.
    bench.upstream.reply = (request, response) => {
      request.resume()
      setTimeout(() => response.end(`steady ${request.url}`), 5)
    }
  })
  afterEach(() => Promise.all([bench.close(), upstream.close()]))

  const apiWith = async (text = document): Promise<Api> => {
    const { api } = await bench.load(text.replace('<other>', upstream.url))
    return api
  }

  /** Clients that ask one after the other until they are told to end. */
  const load = (paths: readonly string[], method: string): Load => {
    const token = bench.issuer.mint()
    const asked: Asked[] = []
    const pending = new Set<string>()
    let isOver = false
    const client = async (path: string, name: number): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const id = `${method}-${name}-${n}`
        const body = method === 'POST' ? { body: 'x' } : {}
        pending.add(id)
        asked.push({ id, answer: await bench.send({ path: `${path}/${id}`, method, token, ...body }) })
        pending.delete(id)
      }
    }
    const clients = paths.map(client)
    return {
      pending,
      asked,
      end: async () => {
        isOver = true
        await Promise.all(clients)
        return asked
      },
    }
  }

  it('an upstream that restarts fails what it had not answered, as 503, and nothing else', async () => {
    replaceOrThrow(bench.gateway, [await apiWith()])
    const [gets, posts] = [load(Array(4).fill('/restarted'), 'GET'), load(Array(4).fill('/restarted'), 'POST')]
    const steady = load(Array(4).fill('/steady'), 'GET')
    const underWay = new Set<string>()
    for (let round = 0; round < 5; round++) {
      await wait(150)
      while (![...upstream.underWay()].some((id) => id.startsWith('POST'))) await wait(1)
      for (const id of [...gets.pending, ...posts.pending]) underWay.add(id)
      await upstream.restart()
    }
    const isServed = ({ answer }: Asked): boolean => answer.status === 200
    while (posts.asked.filter(isServed).length <= 10 || steady.asked.length <= 10) await wait(20)
    await wait(150)
    const [got, posted, others] = await Promise.all([gets.end(), posts.end(), steady.end()])
    for (const { id, answer } of [...got, ...posted]) {
      if (answer.status === 200) {
        assert.equal(answer.body, id)
        continue
      }
      assert.ok(underWay.has(id), `${id} failed, and was not under way when the upstream restarted`)
      assert.deepEqual([answer.status, answer.body], [503, '{"message":"Service Unavailable"}'])
    }
    for (const { id, answer } of others) assert.deepEqual([answer.status, answer.body], [200, `steady /${id}`])
    const given = upstream.given.filter((id) => id.startsWith('POST'))
    assert.equal(new Set(given).size, given.length, 'what may have been done is not done again')
    assert.ok(posted.some(({ answer }) => answer.status === 503))
    assert.ok(posted.filter(isServed).length > 10)
    assert.ok(others.length > 10)
  })

  it('a gateway whose APIs are replaced again and again answers every request, by one of them', async () => {
    replaceOrThrow(bench.gateway, [await apiWith()])
    const [gets, posts] = [load(Array(5).fill('/restarted'), 'GET'), load(Array(5).fill('/steady'), 'POST')]
    const other = await startRestartable()
    const moved = document.replace('<other>', other.url)
    // Another upstream, another authorizer, more routes, and a stage whose neighbour comes and goes.
    const variants = await Promise.all([
      apiWith(),
      apiWith(moved),
      apiWith(document.replace('audience: ["https', 'audience: ["more", "https')),
      apiWith(
        `${document}  /more: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "${other.url}/" } } }\n`,
      ),
    ])
    const neighbour: Api = {
      ...variants[0]!,
      id: 'next',
      endpoints: [{ host: 'next.test', basePath: '', kind: 'mapping' }],
    }
    const isEnough = (): boolean => gets.asked.length > 10 && posts.asked.length > 10 && other.given.length > 0
    for (let n = 0; n < 100 || !isEnough(); n++) {
      replaceOrThrow(bench.gateway, [variants[n % variants.length]!, ...(n % 2 === 0 ? [neighbour] : [])])
      await wait(10)
    }
    const [got, posted] = await Promise.all([gets.end(), posts.end()])
    for (const { id, answer } of got) assert.deepEqual([answer.status, answer.body], [200, id])
    for (const { id, answer } of posted) assert.deepEqual([answer.status, answer.body], [200, `steady /${id}`])
    assert.ok(got.length > 10 && posted.length > 10, `${got.length} and ${posted.length} requests`)
    assert.ok(other.given.length > 0)
    await other.close()
  })
})

interface Restartable {
  readonly url: string
  /** What it was given and has not answered. */
  underWay(): Iterable<string>
  /** Every request it was given, in order. */
  readonly given: readonly string[]
  /** Breaks every connection off and listens again. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** An upstream that answers each request with its name, a moment later. */
async function startRestartable(): Promise<Restartable> {
  const open = new Set<string>()
  const given: string[] = []
  const create = (): http.Server =>
    http.createServer((request, response) => {
      const id = request.url!.slice(1)
      open.add(id)
      given.push(id)
      request.resume()
      setTimeout(() => {
        if (response.destroyed) return
        open.delete(id)
        response.end(id)
      }, 5)
    })
  const listen = (server: http.Server, port: number): Promise<void> =>
    new Promise((resolve) => {
      server.listen(port, '127.0.0.1', resolve)
    })
  let server = create()
  await listen(server, 0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    underWay: () => open,
    given,
    restart: async () => {
      open.clear()
      server.close()
      server.closeAllConnections()
      server = create()
      await listen(server, port)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
