import assert from 'node:assert/strict'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { createLogger } from '../logger.ts'
import { createServer } from './server.ts'

async function addressSeen(
  trustedProxies: string[] | undefined,
  peer: string,
  forwarded = '203.0.113.9',
): Promise<string> {
  const app = createServer({ logger: createLogger({ level: 'silent' }), trustedProxies })
  app.get('/', async (request) => request.ip)
  const headers = { 'x-forwarded-for': forwarded }
  const { body } = await app.inject({ method: 'GET', url: '/', headers, remoteAddress: peer })
  await app.close()
  return body
}

test('CVE-2023-36456 who a request comes from is said by its peer, or by a proxy that is listed, and by nobody else', async () => {
  assert.equal(await addressSeen(['10.0.0.0/8'], '10.1.2.3'), '203.0.113.9')
  assert.equal(await addressSeen(['10.0.0.0/8'], '192.0.2.1'), '192.0.2.1')
  assert.equal(await addressSeen(undefined, '10.1.2.3'), '10.1.2.3')
  assert.equal(await addressSeen([], '10.1.2.3'), '10.1.2.3')
})

test('CWE-307 an address is one place whatever port its proxy writes behind it, and what is none is nobody’s', async () => {
  for (const [forwarded, seen] of [
    ['203.0.113.9:51234', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9:51234', '203.0.113.9'],
    ['203.0.113.9:51234, 10.0.0.7:443', '203.0.113.9'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:203.0.113.9', '::ffff:203.0.113.9'],
    // What nobody can read is not believed, nor what stands before it: the nearest proxy that is known is.
    ['unknown', '10.1.2.3'],
    ['203.0.113.9, unknown', '10.1.2.3'],
    ['203.0.113.9, unknown, 10.0.0.7', '10.0.0.7'],
    ['203.0.113.9:x', '10.1.2.3'],
    ['203.0.113.999', '10.1.2.3'],
    ['', '10.1.2.3'],
    [',', '10.1.2.3'],
  ]) {
    assert.equal(await addressSeen(['10.0.0.0/8'], '10.1.2.3', forwarded), seen, forwarded)
  }
})

/** What is answered to a body in chunks of one byte. */
async function answerTo(chunks: number): Promise<string> {
  const app = createServer({ logger: createLogger({ level: 'silent' }) })
  app.post('/', async (request) => Object.keys(request.body as object)[0]!.length)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  const type = 'application/x-www-form-urlencoded'
  socket.write(
    `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`,
  )
  socket.write(`${'1\r\nx\r\n'.repeat(chunks)}0\r\n\r\n`)
  let answer = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {}).on('close', () => resolve())
  })
  await app.close()
  return answer
}

test('a body that comes byte by byte is given up before its pieces fill the memory, and one in some chunks is read', async () => {
  assert.match(await answerTo(5_000), /^HTTP\/1\.1 200 [\s\S]*5000/)
  assert.doesNotMatch(await answerTo(200_000), /^HTTP\/1\.1 200 /)
})
