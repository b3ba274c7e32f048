import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { createEgress, type OutboundRequest } from '@tenantry/kernel/http/egress.ts'
import { defaultLimits } from '../limits.ts'
import { createRunCalls, type OutsideLimits } from './outside.ts'
import { nextHop } from './redirects.ts'
import { startUpstream } from './test-upstream.ts'

const local = createEgress({ allow: ['127.0.0.0/8'] })
const REMEDY =
  'Private networks are called only where TENANTRY_ACTIONS_EGRESS_ALLOW of this server names them, and services of metadata never'

interface Ask {
  url: string
  method?: string
  headers?: [string, string][]
  redirect?: string
  body?: unknown
}

async function call(
  ask: Ask,
  { egress = local, limits = {} }: { egress?: typeof local; limits?: Partial<OutsideLimits> } = {},
) {
  const calls = createRunCalls(egress, { ...defaultLimits, ...limits }, { timeoutMs: 5000, depth: 0 })
  const asked = { method: 'GET', headers: [], redirect: 'follow', body: null, ...ask }
  return JSON.parse(await calls.answer(1, JSON.stringify(asked)))
}

const text = (answer: { body: { text?: string; base64?: string } | null }): string =>
  answer.body?.text ?? Buffer.from(answer.body?.base64 ?? '', 'base64').toString()

const forbidden: Record<string, string> = {
  'the metadata service': 'http://169.254.169.254/latest/meta-data/',
  'the metadata service in one number': 'http://2852039166/',
  'the metadata service over IPv6': 'http://[fd00:ec2::254]/',
  'CVE-2024-29415 loopback in short': 'http://127.1/',
  'CVE-2024-29415 loopback in octal': 'http://0177.0.0.1/',
  'CVE-2024-29415 loopback in hex': 'http://0x7f000001/',
  'CVE-2024-29415 loopback mapped into IPv6': 'http://[::ffff:127.0.0.1]/',
  'CVE-2024-29415 nothing at all': 'http://0/',
  'a name that leads to loopback': 'http://localhost/',
  'a private network': 'http://10.1.2.3/',
  'a unique local address': 'http://[fc00::1]/',
}

for (const [name, url] of Object.entries(forbidden)) {
  test(`N19 an Action cannot call ${name}, and the author is told what allows it`, async () => {
    const { error } = await call({ url }, { egress: createEgress() })
    assert.equal(error, `the address cannot be called: it leads into a network that is not public. ${REMEDY}`)
  })
}

test('N19 what is no http address is refused before anything is asked', async () => {
  for (const [url, reason] of [
    ['file:///etc/passwd', 'it must start with https:// or http://'],
    ['gopher://127.0.0.1:6379/_x', 'it must start with https:// or http://'],
    ['data:text/plain,x', 'it must start with https:// or http://'],
    ['http://user:pw@127.0.0.1/', 'it holds a user name or password'],
    ['/relative', 'it is no address'],
  ] as const) {
    assert.equal((await call({ url })).error, `the address cannot be called: ${reason}. ${REMEDY}`)
  }
})

test('N19 a redirect into a private network is refused like the address itself', async () => {
  const outer = await startUpstream((_seen, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end()
    return true
  })
  assert.match((await call({ url: outer.base })).error, /^the address cannot be called: it leads into a network/)
  assert.equal(outer.seen.length, 1)
})

test('headers of the connection cannot be set, and those of the call arrive once', async () => {
  const upstream = await startUpstream()
  const answer = await call({
    url: `${upstream.base}/x?y=1`,
    method: 'POST',
    headers: [
      ['Host', 'evil.test'],
      ['Content-Length', '1'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'upgrade'],
      ['Proxy-Authorization', 'x'],
      ['Sec-Fetch-Site', 'x'],
      ['Accept-Encoding', 'gzip'],
      ['X-One', 'a'],
      ['x-one', 'b'],
      ['User-Agent', 'mine'],
    ],
    body: { text: 'héllo' },
  })
  assert.equal(answer.status, 200)
  assert.deepEqual(upstream.seen, [
    {
      method: 'POST',
      path: '/x?y=1',
      headers: {
        accept: '*/*',
        'user-agent': 'mine',
        'x-one': 'a, b',
        'accept-encoding': 'identity',
        'cdn-loop': 'tenantry-actions',
        'content-length': '6',
        host: `127.0.0.1:${upstream.port}`,
        connection: 'close',
      },
      body: 'héllo',
    },
  ])
})

test('a request that is not of the shape of one is answered with what is wrong', async () => {
  const calls = createRunCalls(local, defaultLimits, { timeoutMs: 5000, depth: 0 })
  const good = { url: 'http://127.0.0.1:1/', method: 'GET', headers: [], redirect: 'follow', body: null }
  const wrong: [unknown, string][] = [
    ['{', 'the request is no JSON'],
    ['[]', 'the request is no object'],
    [{ ...good, method: 'GET / HTTP/1.1\r\nx:' }, 'the method is not allowed'],
    [{ ...good, method: 'CONNECT' }, 'the method is not allowed'],
    [{ ...good, redirect: 'x' }, 'redirect has no such value'],
    [{ ...good, headers: [['a', 'b\r\nc: d']] }, 'a header holds a character that no header may hold'],
    [{ ...good, headers: [['a b', 'c']] }, 'a header holds a character that no header may hold'],
    [{ ...good, headers: [['a', 1]] }, 'a header is no text'],
    [{ ...good, headers: [['a', 'x'.repeat(17_000)]] }, 'the headers are longer than 16384 characters'],
    [{ ...good, body: 5 }, 'the body is neither text nor bytes'],
    [{ ...good, url: `http://a.test/${'x'.repeat(17_000)}` }, 'the address is too long'],
  ]
  for (const [asked, error] of wrong)
    assert.deepEqual(JSON.parse(await calls.answer(1, typeof asked === 'string' ? asked : JSON.stringify(asked))), {
      error,
    })
})

test('what proves something to one origin is not sent to another, and a body is not sent again as a GET', async () => {
  const other = await startUpstream()
  const first = await startUpstream((seen, response) => {
    if (seen.path === '/done') return false
    const [, status, where] = seen.path.split('/')
    response.writeHead(Number(status), { location: where === 'other' ? `${other.base}/there` : '/done' }).end()
    return true
  })
  const headers: [string, string][] = [
    ['authorization', 'Bearer secret'],
    ['cookie', 'a=b'],
    ['content-type', 'text/plain'],
    ['x-kept', 'yes'],
  ]
  const post = (path: string) => call({ url: first.base + path, method: 'POST', headers, body: { text: 'hello' } })
  const facts = ({ method, body, headers: got }: (typeof other.seen)[0]) => [
    method,
    body,
    got.authorization,
    got.cookie,
    got['content-type'],
    got['x-kept'],
  ]
  for (const [status, method, body] of [
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', 'hello'],
    [308, 'POST', 'hello'],
  ] as const) {
    const type = body ? 'text/plain' : undefined
    const answer = await post(`/${status}/other`)
    assert.deepEqual([answer.status, answer.url, answer.redirected], [200, `${other.base}/there`, true])
    assert.deepEqual(facts(other.seen.at(-1)!), [method, body, undefined, undefined, type, 'yes'], String(status))
    await post(`/${status}/same`)
    assert.deepEqual(facts(first.seen.at(-1)!), [method, body, 'Bearer secret', 'a=b', type, 'yes'], String(status))
  }
})

test('redirects are followed ten times, shown as they are, or refused, as the call says', async () => {
  const upstream = await startUpstream((seen, response) => {
    const left = Number(seen.path.slice(1))
    if (left === 0) return false
    response.writeHead(302, { location: `/${left - 1}` }).end('moved')
    return true
  })
  assert.equal((await call({ url: `${upstream.base}/10` })).status, 200)
  assert.equal((await call({ url: `${upstream.base}/11` })).error, 'it redirects more than 10 times')
  const manual = await call({ url: `${upstream.base}/1`, redirect: 'manual' })
  assert.deepEqual([manual.status, manual.redirected, text(manual)], [302, false, 'moved'])
  assert.equal(manual.headers.find(([name]: [string]) => name === 'location')[1], '/0')
  const refused = await call({ url: `${upstream.base}/1`, redirect: 'error' })
  assert.equal(refused.error, 'it redirects, and the call allows no redirect')
})

test('a redirect from https to http is not followed, nor one to what holds a password or is no address', () => {
  const hop = { url: 'https://a.test/x#part', method: 'GET', headers: {}, body: undefined }
  assert.equal(nextHop(hop, 302, 'http://a.test/'), 'it redirects from https to http')
  assert.equal(
    nextHop(hop, 302, 'https://u:p@a.test/'),
    'it redirects to an address that holds a user name or password',
  )
  assert.equal(nextHop(hop, 302, 'https://'), 'it redirects to what is no address')
  assert.equal(nextHop(hop, 302, undefined), undefined)
  assert.equal(nextHop(hop, 304, '/y'), undefined)
  assert.deepEqual(nextHop(hop, 302, '/y'), { ...hop, url: 'https://a.test/y#part' })
})

test('an answer counts with its request against one limit, to the byte', async () => {
  const upstream = await startUpstream((seen, response) => {
    response.end(Buffer.alloc(Number(seen.path.slice(1)), 'x'))
    return true
  })
  const limits = { callBytes: 10_240 }
  const body = { text: 'y'.repeat(240) }
  const ask = (bytes: number) => call({ url: `${upstream.base}/${bytes}`, method: 'POST', body }, { limits })
  assert.equal(text(await ask(10_000)).length, 10_000)
  const tooLarge = 'request and answer are together larger than the 10 KB of a call'
  assert.equal((await ask(10_001)).error, tooLarge)
  assert.equal((await ask(50_000_000)).error, tooLarge)
  const large = await call({ url: upstream.base, method: 'POST', body: { text: 'y'.repeat(10_241) } }, { limits })
  assert.equal(large.error, 'the request is larger than the 10 KB of a call')
  assert.equal(upstream.seen.length, 3)
})

test('compressed answers are read, and a small one that becomes large is refused', async () => {
  const make = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }
  const upstream = await startUpstream((seen, response) => {
    const [, encoding = '', size] = seen.path.split('/')
    const content = 'z'.repeat(Number(size))
    const packed = encoding in make ? make[encoding as 'gzip'](content) : content
    response.setHeader('content-encoding', encoding).end(packed)
    return true
  })
  for (const encoding of ['gzip', 'deflate', 'br']) {
    assert.equal(text(await call({ url: `${upstream.base}/${encoding}/1000` })).length, 1000)
    assert.equal(
      (await call({ url: `${upstream.base}/${encoding}/30000000` })).error,
      'request and answer are together larger than the 1024 KB of a call',
    )
  }
  assert.equal(text(await call({ url: `${upstream.base}/unknown/10` })), 'z'.repeat(10))
})

test('bytes that are no text, and text that JSON would blow up, arrive as they were', async () => {
  const bodies = [Buffer.from([0, 255, 128, 10]), Buffer.alloc(1_000_000, 1), Buffer.from('\ufeffhé€')]
  const upstream = await startUpstream((seen, response) => {
    response.end(bodies[Number(seen.path.slice(1))])
    return true
  })
  for (const [index, body] of bodies.entries()) {
    const answer = await call({ url: `${upstream.base}/${index}` })
    const got =
      answer.body.text === undefined ? Buffer.from(answer.body.base64, 'base64') : Buffer.from(answer.body.text)
    assert.ok(got.equals(body))
    assert.ok(JSON.stringify(JSON.stringify(answer)).length < 3_800_000)
  }
})

test('a run makes only so many calls, and only so many at once', async () => {
  let open = 0
  let most = 0
  const egress = {
    ...local,
    request: async (_url: string, _request: OutboundRequest) => {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setTimeout(resolve, 10))
      open--
      return { status: 204, headers: {}, body: Buffer.alloc(0) }
    },
  }
  const calls = createRunCalls(egress, defaultLimits, { timeoutMs: 5000, depth: 0 })
  const asked = JSON.stringify({ url: 'http://a.test/', method: 'GET', headers: [], redirect: 'follow', body: null })
  const answers = await Promise.all(
    Array.from({ length: 22 }, async (_, n) => JSON.parse(await calls.answer(n, asked))),
  )
  assert.equal(answers.filter(({ status }) => status === 204).length, 20)
  assert.deepEqual(answers.slice(20), Array(2).fill({ error: 'an Action may call out 20 times in a run' }))
  assert.equal(most, 4)
})

test('the end of a run breaks off what is under way, and nothing that waited begins', async () => {
  const upstream = await startUpstream(() => true)
  const calls = createRunCalls(local, defaultLimits, { timeoutMs: 60_000, depth: 0 })
  const asked = JSON.stringify({ url: upstream.base, method: 'GET', headers: [], redirect: 'follow', body: null })
  const answers = Array.from({ length: 6 }, (_, n) => calls.answer(n, asked))
  while (upstream.seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  calls.end()
  const errors = (await Promise.all(answers)).map((answer) => JSON.parse(answer).error)
  assert.equal(upstream.seen.length, 4)
  assert.deepEqual(errors.slice(4), ['it was broken off', 'it was broken off'])
  while (upstream.brokenOff() < 4) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('a call that is dropped is broken off, and its place goes to one that waits', async () => {
  const upstream = await startUpstream((seen) => seen.path === '/silent')
  const calls = createRunCalls(local, defaultLimits, { timeoutMs: 60_000, depth: 0 })
  const asked = (path: string) =>
    JSON.stringify({ url: upstream.base + path, method: 'GET', headers: [], redirect: 'follow', body: null })
  const silent = [1, 2, 3, 4].map((number) => calls.answer(number, asked('/silent')))
  const waiting = calls.answer(5, asked('/quick'))
  while (upstream.seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  calls.drop(2)
  assert.equal(JSON.parse(await waiting).status, 200)
  assert.deepEqual(Object.keys(JSON.parse(await silent[1]!)), ['error'])
  assert.equal(upstream.brokenOff(), 1)
  calls.end()
  await Promise.all(silent)
})

test('a server that cannot be reached is named by what is wrong, without the request', async () => {
  const gone = await startUpstream()
  const { error } = await call({ url: `http://127.0.0.1:1/?key=secret`, headers: [['authorization', 'secret']] })
  assert.equal(error, 'ECONNREFUSED')
  assert.equal((await call({ url: 'http://no-such-host.invalid/' })).error, 'its host has no address')
  assert.equal(gone.seen.length, 0)
})
