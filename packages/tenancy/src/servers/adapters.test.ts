import assert from 'node:assert/strict'
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AUDIENCE, startIssuer, TENANT_CLAIM } from '../token/test-issuer.ts'
import { createVerifier } from '../token/verifier.ts'
import { type Authenticate, createAuthenticator } from './http.ts'
import { type Service, servers } from './test-servers.ts'

const A = 'A'.repeat(24)
const B = 'B'.repeat(24)
const agent = new Agent({ keepAlive: true, maxSockets: 3 })

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

function send(service: Service, path: string, given: { token?: string; body?: unknown; headers?: string[] } = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const headers = given.headers ?? [
      ...(given.token === undefined ? [] : ['authorization', `Bearer ${given.token}`]),
      ...(given.body === undefined ? [] : ['content-type', 'application/json']),
    ]
    const method = given.body === undefined ? 'GET' : 'POST'
    const body = given.body === undefined ? [] : [Buffer.from(JSON.stringify(given.body))]
    const all = ['host', `127.0.0.1:${service.port}`, ...headers]
    for (const bytes of body) all.push('content-length', String(bytes.length))
    const request = httpRequest(`${service.url}${path}`, { method, agent, headers: all }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
    })
    request.on('error', reject)
    request.end(body[0])
  })
}

/** Writes to a connection of its own and hands back everything that comes, once `done` says that it is enough. */
function raw(service: Service, text: string, done: (received: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(service.port, '127.0.0.1', () => socket.write(text))
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
    socket.on('data', (chunk) => {
      received += chunk
      if (done(received)) socket.destroy()
    })
  })
}

let issuer: Awaited<ReturnType<typeof startIssuer>>
let tokens: { a: string; b: string }
before(async () => {
  issuer = await startIssuer()
  tokens = { a: await issuer.token(), b: await issuer.token({ sub: 'auth0|bruno', [TENANT_CLAIM]: B }) }
})
after(async () => {
  agent.destroy()
  await issuer.close()
})

for (const [name, start] of Object.entries(servers)) {
  describe(`the adapter for ${name}`, () => {
    let service: Service
    let asked = 0
    let offsetSeconds = 0
    let changed = () => {}
    const notices: { label: string; tenantId: string | undefined }[] = []
    const noticed = async (label: string) => {
      while (!notices.some((notice) => notice.label === label)) {
        await new Promise<void>((resolve) => {
          changed = resolve
        })
      }
      return notices.filter((notice) => notice.label === label).map(({ tenantId }) => tenantId)
    }
    before(async () => {
      const now = () => new Date(Date.now() + offsetSeconds * 1000)
      const verifier = createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, now })
      const inner = createAuthenticator({ verifier, tenantClaim: TENANT_CLAIM })
      const authenticate: Authenticate = (headers) => {
        asked += 1
        return inner(headers)
      }
      service = await start(authenticate, (label, tenantId) => {
        notices.push({ label, tenantId })
        changed()
      })
    })
    after(() => service.close())
    beforeEach(() => {
      asked = 0
      offsetSeconds = 0
      issuer.state.down = false
      notices.length = 0
    })

    const assertRefused = (answer: Answer, status: number, code: string, challenge?: string) => {
      assert.equal(answer.status, status, answer.text)
      assert.equal(JSON.parse(answer.text).code, code)
      assert.match(answer.headers['content-type']!, /^application\/json/)
      assert.equal(answer.headers['www-authenticate'], challenge)
    }

    it('runs the handler as the caller, and asks once although plugin and route both ask', async () => {
      const answer = await send(service, '/me', { token: tokens.a })
      assert.equal(answer.status, 200)
      assert.deepEqual(JSON.parse(answer.text), { tenantId: A, subject: 'auth0|maria' })
      assert.equal(asked, 1)
    })

    it('refuses with the kit’s answers, and the handler does not run', async () => {
      assertRefused(await send(service, '/me'), 401, 'token_missing', 'Bearer')
      assertRefused(
        await send(service, '/me', { token: 'a.b.c' }),
        401,
        'token_malformed',
        'Bearer error="invalid_token"',
      )
      const scope = 'Bearer error="insufficient_scope", scope="delete:item admin:item"'
      assertRefused(await send(service, '/scoped', { token: tokens.a }), 403, 'scope_missing', scope)
      const both = ['authorization', `Bearer ${tokens.a}`, 'Authorization', `Bearer ${tokens.b}`]
      const twice = await send(service, '/me', { headers: both })
      assertRefused(twice, 401, 'token_malformed', 'Bearer error="invalid_token"')
      const elsewhere = await issuer.token({ [TENANT_CLAIM]: [A] })
      assertRefused(
        await send(service, '/me', { token: elsewhere }),
        403,
        'tenant_refused',
        'Bearer error="invalid_token"',
      )
      assert.deepEqual(notices, [])
    })

    it('answers 503 while the issuer’s keys are missing, and serves again afterwards', async () => {
      offsetSeconds = 4000
      issuer.state.down = true
      const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) + 90_000 })
      await send(service, '/me', { token })
      const answer = await send(service, '/me', { token })
      assertRefused(answer, 503, 'keys_unavailable', undefined)
      assert.equal(answer.headers['retry-after'], '1')
      issuer.state.down = false
      offsetSeconds = 4002
      assert.equal((await send(service, '/me', { token })).status, 200)
    })

    it('refuses before anything of the body is read', async () => {
      const head = `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n`
      const received = await raw(service, `${head}\r\n{"never":`, (text) => text.includes('token_missing'))
      assert.match(received, /^HTTP\/1\.1 401 /)
    })

    it('keeps the identity while the body is read, however it arrives', async () => {
      const answer = await send(service, '/echo', { token: tokens.b, body: { text: 'x'.repeat(70_000) } })
      assert.equal(answer.status, 200)
      assert.equal(JSON.parse(answer.text).tenantId, B)
      const head = `POST /echo HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.a}\r\ncontent-type: application/json\r\n`
      const received = await new Promise<string>((resolve, reject) => {
        const socket = connect(service.port, '127.0.0.1', () => {
          socket.write(`${head}content-length: 9\r\n\r\n{"a":`)
          setTimeout(() => socket.write('"b"}'), 20)
        })
        socket.on('error', reject)
        socket.on('data', (chunk) => {
          socket.destroy()
          resolve(String(chunk))
        })
      })
      assert.match(received, /^HTTP\/1\.1 200 /)
      assert.match(received, /"tenantId":"A{24}"/)
    })

    it('never mixes callers on shared connections: tenants, strangers and failures in between', async () => {
      const calls = Array.from({ length: 240 }, async (_, n) => {
        const path = ['/me', '/me', '/public', '/fails', '/stream', '/refuses'][n % 6]!
        const [token, tenantId] = n % 4 < 2 ? [tokens.a, A] : [tokens.b, B]
        const answer = await send(service, path, { token })
        if (path === '/me') assert.equal(JSON.parse(answer.text).tenantId, tenantId)
        if (path === '/public') assert.equal(answer.text, '{"tenantId":null}')
        if (path === '/stream') assert.equal(answer.text, `${tenantId}\n`.repeat(10))
        if (path === '/refuses') assert.equal(answer.status, 403)
        if (path === '/fails')
          assert.deepEqual([answer.status, answer.text], [500, '{"message":"Internal Server Error"}'])
      })
      await Promise.all(calls)
    })

    it('never mixes callers that are pipelined, not even in what listens for the end of their answers', async () => {
      const expected = Array.from({ length: 60 }, (_, n) => [A, B, null][n % 3])
      const text = expected.map((tenantId, n) => {
        if (tenantId === null) return 'GET /public HTTP/1.1\r\nhost: x\r\n\r\n'
        const token = tenantId === A ? tokens.a : tokens.b
        const body = JSON.stringify({ pad: 'p'.repeat(2000) })
        const head = `host: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`
        return `POST /echo?n=${n} HTTP/1.1\r\n${head}content-length: ${body.length}\r\n\r\n${body}`
      })
      const found = (received: string) => [...received.matchAll(/"tenantId":(null|"[AB]{24}")/g)]
      const received = await raw(service, text.join(''), (all) => found(all).length === expected.length)
      assert.deepEqual(
        found(received).map((match) => JSON.parse(match[1]!)),
        expected,
      )
      // Without the adapter's hold on events, Node runs many of these as the caller of the request before.
      const ends = notices.flatMap(({ label, tenantId }) => {
        const number = /^answer ends .echo.n=(\d+)$/.exec(label)?.[1]
        return number === undefined ? [] : [{ tenantId, own: expected[Number(number)] }]
      })
      assert.ok(name === 'Hono' || ends.length >= 20, `${ends.length} ends were noticed`)
      for (const { tenantId, own } of ends) assert.equal(tenantId, own)
    })

    it('runs as the caller what the request leaves behind: timers, error handlers, an abort', async () => {
      await Promise.all([send(service, '/later', { token: tokens.a }), send(service, '/later', { token: tokens.b })])
      while ((await noticed('timer')).length < 2) await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual((await noticed('timer')).toSorted(), [A, B])
      await send(service, '/fails', { token: tokens.b })
      // Hono and plain handlers have left the caller's work when errors are handled; then nobody is known there.
      assert.ok(['Hono', 'node:http'].includes(name) || (await noticed('error handler')).includes(B))
      const socket = connect(service.port, '127.0.0.1', () =>
        socket.write(`GET /hangs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.a}\r\n\r\n`),
      )
      while (asked < 4) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.destroy()
      const [seen] = await noticed('request closes /hangs')
      if (name !== 'Hono') assert.equal(seen, A)
      assert.notEqual(seen, B)
    })

    it('does not put a foreign error into the answer', async () => {
      const answer = await send(service, '/fails', { token: tokens.a })
      assert.equal(answer.status, 500)
      assert.equal(answer.text, '{"message":"Internal Server Error"}')
    })
  })
}
