import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { after, before, test } from 'node:test'
import { createEgress, createGuard, type Guard } from './egress.ts'

let server: Server
let port: number
const seen: string[] = []
before(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    if (request.url === '/moved') response.writeHead(302, { location: `http://127.0.0.1:${port}/secret` }).end()
    else if (request.url === '/endless') response.write('x'.repeat(200_000))
    else if (request.url === '/half') {
      response.writeHead(200, { 'content-length': '10' }).write('half')
      setTimeout(() => response.destroy(), 50)
    } else if (request.url === '/slow') response.write('half')
    else if (request.url !== '/silent') response.end('here')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.close()
  server.closeAllConnections()
})

const get = { method: 'GET', headers: {}, timeoutMs: 20_000 }
const local = createEgress({ allow: ['127.0.0.0/8', '::1'] })

test('N19 what is not the public internet is not called, in whatever spelling, and nothing arrives there', async () => {
  const egress = createEgress()
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '017700000001',
    '0',
    'localhost',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.100.100.200',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '224.0.0.1',
    '255.255.255.255',
  ]
  for (const host of hosts) {
    await assert.rejects(egress.request(`http://${host}:${port}/`, get), { code: 'egress_refused' }, host)
  }
  assert.deepEqual(seen, [])
  assert.equal((await local.request(`http://localhost:${port}/`, get)).body.toString(), 'here')
})

test('only http and https addresses without a user name are called', async () => {
  for (const url of ['ftp://example.test/', 'file:///etc/passwd', 'http://a:b@127.0.0.1/', '//x', 'gopher://x/', '']) {
    await assert.rejects(local.request(url, get), { code: 'egress_refused' }, url)
  }
})

test('a redirect is an answer, and nothing is asked where it points', async () => {
  seen.length = 0
  const answer = await local.request(`http://127.0.0.1:${port}/moved`, get)
  assert.equal(answer.status, 302)
  assert.deepEqual(seen, ['GET /moved'])
})

test('an answer without end is cut, and one that does not come is given up', async () => {
  const { body } = await local.request(`http://127.0.0.1:${port}/endless`, get)
  assert.equal(body.length, 64 * 1024)
  const longer = await local.request(`http://127.0.0.1:${port}/endless`, { ...get, maxAnswerBytes: 100_000 })
  assert.equal(longer.body.length, 100_000)
  await assert.rejects(local.request(`http://127.0.0.1:${port}/silent`, { ...get, timeoutMs: 100 }), {
    code: 'egress_failed',
    message: 'The address could not be reached: no answer within 0.1 s.',
  })
})

test('an answer that comes byte by byte is given up before its pieces fill the memory', async () => {
  const pieces = createPlainServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(20_000)}0\r\n\r\n`)
    })
  })
  pieces.unref()
  await new Promise<void>((resolve) => pieces.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(pieces.address() as AddressInfo).port}/`
  await assert.rejects(local.request(url, { ...get, maxAnswerBytes: 1024 * 1024 }), {
    code: 'egress_failed',
    message: 'The address could not be reached: it answers in too many pieces.',
  })
})

test('N19 other protocols get the checked address of a host, and none for what is not the public internet', async () => {
  await assert.rejects(createEgress().resolve('localhost'), { code: 'egress_refused' })
  assert.deepEqual(await local.resolve('127.0.0.1'), { address: '127.0.0.1', isPublic: false })
  assert.deepEqual(await createEgress().resolve('8.8.8.8'), { address: '8.8.8.8', isPublic: true })
})

test('half an answer is none, whether the rest is late or the connection ends', { timeout: 120_000 }, async () => {
  for (const [path, timeoutMs, reason] of [
    ['/half', 60_000, 'ECONNRESET'],
    ['/slow', 200, 'no answer within 0.2 s'],
  ] as const) {
    await assert.rejects(local.request(`http://127.0.0.1:${port}${path}`, { ...get, timeoutMs }), {
      code: 'egress_failed',
      message: `The address could not be reached: ${reason}.`,
    })
  }
})

test('connections are used again where that is asked for, and the address is checked each time', async () => {
  let connections = 0
  const count = () => connections++
  server.on('connection', count)
  const url = `http://127.0.0.1:${port}/`
  const kept = createEgress({ allow: ['127.0.0.0/8'], keepAlive: true })
  for (let i = 0; i < 3; i++) assert.equal((await kept.request(url, get)).body.toString(), 'here')
  assert.equal(connections, 1)
  for (let i = 0; i < 3; i++) await local.request(url, get)
  assert.equal(connections, 4)
  await assert.rejects(createEgress({ keepAlive: true }).request(url, get), { code: 'egress_refused' })
  server.off('connection', count)
})

test('N19 a guard refuses names when they are looked up and addresses before, and metadata whatever is allowed', async () => {
  const look = (guard: Guard, host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      guard.lookup(host, { all: true }, (error, found) =>
        error === null ? resolve((found as { address: string }[])[0]!.address) : reject(error),
      )
    })
  const [closed, open] = [createGuard(), createGuard(['0.0.0.0/0', '::/0'])]
  await assert.rejects(look(closed, 'localhost'), { code: 'egress_refused' })
  assert.match(await look(open, 'localhost'), /^(127\.0\.0\.1|::1)$/)
  for (const host of [
    '127.0.0.1',
    '[::1]',
    'localhost',
    'a.localhost',
    'LOCALHOST.',
    '10.1.2.3',
    '[::ffff:10.1.2.3]',
  ]) {
    assert.equal(closed.refusal(host), 'it leads into a network that is not public', host)
    assert.equal(open.refusal(host), null, host)
  }
  for (const host of ['169.254.169.254', '[::ffff:a9fe:a9fe]', '[fe80::1]', '[fd00:ec2::254]', '100.100.100.200']) {
    assert.notEqual(open.refusal(host), null, host)
  }
  assert.equal(closed.refusal('93.184.215.14'), null)
  assert.equal(closed.refusal('unknown.example'), null)
})
