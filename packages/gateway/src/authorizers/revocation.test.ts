import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { pino } from 'pino'
import type { Api } from '../api.ts'
import { createGateway } from '../gateway.ts'
import { type Bench, startBench } from '../test-gateway.ts'
import { createFetchJson } from './fetch-json.ts'
import { createRevocations, type Revocations } from './revocation.ts'

/** The two addresses of an issuer that the list needs: a token, and the list in pages of two. */
interface Feed {
  suspended: string[]
  answer: ((response: http.ServerResponse, url: URL) => void) | null
  token: string
  tokensAsked: number
  asked: number
}

describe('an organization that is suspended', () => {
  let bench: Bench
  let feed: Feed
  let server: http.Server
  let revocations: Revocations
  let gateway: ReturnType<typeof createGateway>
  let port: number
  let api: Api
  let lines: Record<string, unknown>[]

  beforeEach(async () => {
    bench = await startBench()
    feed = { suspended: [], answer: null, token: 'first', tokensAsked: 0, asked: 0 }
    server = http.createServer((request, response) => serve(request, response, feed))
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    api = (await bench.load(document)).api
    lines = []
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
    const now = (): number => bench.clock.now().getTime()
    revocations = createRevocations(
      {
        issuer: bench.issuer.issuer,
        url: `${base}/list`,
        credentials: { tokenUrl: `${base}/token`, clientId: 'gw', clientSecret: 's&=', audience: 'a', scope: 'read:x' },
      },
      { fetchJson: createFetchJson(), now, logger, policy: { pollMs: 10, staleAfterMs: 5_000, closedAfterMs: 60_000 } },
    )
    gateway = createGateway({ apis: [api], clock: bench.clock, logger, revocations: [revocations] })
    port = (await gateway.listen(0, '127.0.0.1')).port
  })
  afterEach(async () => {
    revocations.close()
    gateway.server.closeAllConnections()
    server.closeAllConnections()
    server.close()
    await Promise.all([gateway.close(), bench.close()])
  })

  const get = async (token: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/items`, { headers: { authorization: `Bearer ${token}` } })
    return { status: response.status, body: await response.text(), headers: response.headers }
  }
  const status = async (token: string): Promise<number> => (await get(token)).status
  const of = (org_id: unknown): string => bench.issuer.mint({ org_id })
  /** The whole list, of three pages at most, has been asked for and answered since. */
  const polled = async (): Promise<void> => {
    const before = feed.asked
    while (feed.asked < before + 7) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  it('gets no token through, old ones neither, and is served again when it is resumed', async () => {
    await revocations.ready
    const [acme, globex, nobody] = [of('org_acme'), of('org_globex'), bench.issuer.mint()]
    assert.deepEqual([await status(acme), await status(globex), await status(nobody)], [200, 200, 200])
    feed.suspended = ['org_acme']
    await polled()
    const refused = await get(acme)
    assert.equal(refused.status, 403)
    assert.equal(refused.body, '{"message":"Forbidden"}')
    assert.equal(refused.headers.get('www-authenticate'), null)
    assert.equal(lines.at(-1)?.auth, 'the organization is suspended')
    assert.equal(await status(of('org_acme')), 403, 'a fresh token')
    assert.deepEqual([await status(globex), await status(nobody)], [200, 200])
    assert.equal(await status(of(['org_globex'])), 403, 'what is no organization’s id is none that is known')
    feed.suspended = []
    await polled()
    assert.equal(await status(acme), 200)
  })

  it('is found on any page of the list', async () => {
    feed.suspended = ['org_1', 'org_2', 'org_3', 'org_4', 'org_5']
    await revocations.ready
    await polled()
    for (const id of feed.suspended) assert.equal(await status(of(id)), 403, id)
    assert.equal(await status(of('org_6')), 200)
  })

  it('is not told of while the list cannot be read: what is known holds, then a minute later nothing does', async () => {
    bench.clock.freeze()
    feed.suspended = ['org_acme']
    await revocations.ready
    const [acme, globex, nobody] = [of('org_acme'), of('org_globex'), bench.issuer.mint()]
    const faults: Feed['answer'][] = [
      (response) => response.destroy(),
      (response) => response.writeHead(500).end(),
      (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
      (response) => response.end('{"organizations":{}}'),
      (response) => response.end('{"organizations":[{"name":"x"}]}'),
      (response) => response.end('[]'),
      (response) => response.end('{"organizations":['),
      // The first page only: half a list is none.
      (response, url) =>
        url.searchParams.has('from') ? response.writeHead(500).end() : response.end('{"organizations":[],"next":"x"}'),
    ]
    for (const fault of faults) {
      feed.answer = fault
      await polled()
      assert.deepEqual([await status(acme), await status(globex)], [403, 200])
    }
    const complaints = () => lines.filter(({ level }) => level === 50)
    assert.equal(complaints().length, 0)
    bench.clock.advance(10)
    await polled()
    assert.match(String(complaints()[0]?.msg), /organizations suspended since are still served/)
    assert.deepEqual([await status(acme), await status(globex)], [403, 200])
    bench.clock.advance(55)
    await polled()
    const closed = await get(globex)
    assert.deepEqual([closed.status, closed.body], [503, '{"message":"Service Unavailable"}'])
    assert.equal(await status(acme), 503)
    assert.equal(await status(nobody), 200, 'a token for no organization needs no list')
    assert.match(String(complaints().at(-1)?.msg), /tokens for organizations are refused with 503/)
    feed.answer = null
    await polled()
    assert.deepEqual([await status(acme), await status(globex)], [403, 200])
    assert.ok(lines.some(({ msg }) => msg === 'suspensions are known again'))
  })

  it('keeps tokens for organizations out until the list was read once', async () => {
    feed.answer = (response) => response.writeHead(500).end()
    const other = createRevocations(
      {
        issuer: bench.issuer.issuer,
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/list`,
        credentials: { tokenUrl: 'http://127.0.0.1:9/', clientId: '', clientSecret: '', audience: '', scope: '' },
      },
      { fetchJson: createFetchJson(), now: () => bench.clock.now().getTime(), logger: pino({ level: 'silent' }) },
    )
    assert.equal(other.check({ org_id: 'org_acme' })?.answer.status, 503)
    assert.equal(other.check({}), null)
    assert.throws(
      () => createGateway({ apis: [], clock: bench.clock, logger: pino(), strict: true, revocations: [other] }),
      /a strict gateway knows no revocations/,
    )
    other.close()
  })

  it('is asked about with a token that is kept, and renewed when it is refused', async () => {
    await revocations.ready
    await polled()
    assert.equal(feed.tokensAsked, 1)
    feed.token = 'second'
    feed.suspended = ['org_acme']
    await polled()
    await polled()
    assert.equal(feed.tokensAsked, 2)
    assert.equal(await status(of('org_acme')), 403)
  })

  it('is asked about at addresses that nobody on the way can answer for', () => {
    const deps = { fetchJson: createFetchJson(), now: () => 0, logger: pino({ level: 'silent' }) }
    const credentials = { tokenUrl: 'https://x.test/', clientId: '', clientSecret: '', audience: '', scope: '' }
    const source = { issuer: 'https://x.test/', url: 'https://x.test/list', credentials }
    assert.throws(() => createRevocations({ ...source, url: 'http://x.test/list' }, deps), /must use https/)
    const plain = { ...credentials, tokenUrl: 'http://x.test/' }
    assert.throws(() => createRevocations({ ...source, credentials: plain }, deps), /must use https/)
  })
})

function serve(request: http.IncomingMessage, response: http.ServerResponse, feed: Feed): void {
  const url = new URL(request.url!, 'http://feed.test')
  if (url.pathname === '/token') {
    feed.tokensAsked++
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const form = Object.fromEntries(new URLSearchParams(body))
      const expected = { client_id: 'gw', client_secret: 's&=', audience: 'a', scope: 'read:x' }
      assert.deepEqual(form, { grant_type: 'client_credentials', ...expected })
      response.end(JSON.stringify({ access_token: feed.token, expires_in: 600 }))
    })
    return
  }
  feed.asked++
  if (feed.answer !== null) {
    feed.answer(response, url)
    return
  }
  if (request.headers.authorization !== `Bearer ${feed.token}`) {
    response.writeHead(401).end()
    return
  }
  const start = Number(url.searchParams.get('from') ?? 0)
  const page = feed.suspended.slice(start, start + 2).map((id) => ({ id, suspended_at: '2026-01-01T00:00:00.000Z' }))
  const next = start + 2 < feed.suspended.length ? { next: String(start + 2) } : {}
  response.end(JSON.stringify({ organizations: page, ...next }))
}

const document = `
openapi: 3.0.1
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["https://api.example.test"] }
paths:
  /items:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "\${stageVariables.upstream}/items", payloadFormatVersion: "1.0" }
`
