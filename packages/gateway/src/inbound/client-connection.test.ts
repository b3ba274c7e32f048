import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { connectClient, settled, write } from './fixture.ts'

const statuses = (received: string): string[] =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!)
const get = (target: string, lines = ''): string => `GET ${target} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`
const post = 'POST /p HTTP/1.1\r\nhost: a\r\n'
const timeouts = { headersTimeout: 1_000, requestTimeout: 2_000, keepAliveTimeout: 3_000 }

describe('a client’s connection', () => {
  it('N201 is read alike wherever its bytes are split', async () => {
    const bytes = Buffer.from(
      `${get('/a', 'x-y: \t\u00e9 z \r\n')}\r\n${post}transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n10\r\n${'x'.repeat(16)}\r\n` +
        `0\r\nx-t: 1\r\n\r\n${post}content-length: 3\r\n\r\nabc${get('/b')}`,
      'latin1',
    )
    const whole = connectClient()
    await write(whole, bytes)
    assert.deepEqual(
      whole.requests.map(({ method, url, body }) => [method, url, body]),
      [
        ['GET', '/a', ''],
        ['POST', '/p', `hello${'x'.repeat(16)}`],
        ['POST', '/p', 'abc'],
        ['GET', '/b', ''],
      ],
    )
    assert.deepEqual(whole.requests[0]!.headers, ['host', 'a', 'x-y', '\u00e9 z'])
    for (let at = 1; at < bytes.length; at++) {
      const split = connectClient()
      await write(split, bytes.subarray(0, at), bytes.subarray(at))
      assert.deepEqual(split.requests, whole.requests, `split at ${at}`)
      assert.equal(split.received, whole.received)
    }
    const single = connectClient()
    await write(single, ...Array.from(bytes, (byte) => Buffer.from([byte])))
    assert.equal(single.received, whole.received)
  })

  const endless: Readonly<Record<string, string>> = {
    'a method of other letters': 'get /a HTTP/1.1\r\n',
    'a method nobody knows': 'FETCH /a HTTP/1.1\r\n',
    'two spaces in the request line': 'GET  /a HTTP/1.1\r\n',
    'a space behind the version': 'GET /a HTTP/1.1 \r\n',
    'no version': 'GET /a\r\n',
    'another version': 'GET /a HTTP/1.2\r\n',
    'a version in small letters': 'GET /a http/1.1\r\n',
    'a target without a slash': 'GET a HTTP/1.1\r\n',
    'a tab in the target': 'GET /a\tb HTTP/1.1\r\n',
    'a line feed of its own': 'GET /a HTTP/1.1\n',
    'a carriage return of its own': 'GET /a HTTP/1.1\rx',
    'a line feed in front': '\nGET /a HTTP/1.1\r\n',
    'NUL in the target': 'GET /a\0 HTTP/1.1\r\n',
    'the beginning of TLS': '\x16\x03\x01\x02\x00',
  }
  for (const [name, text] of Object.entries(endless)) {
    it(`N201 is refused at once, though its head has not ended: ${name}`, async () => {
      const client = connectClient()
      await write(client, text)
      assert.deepEqual(statuses(client.received), ['400'])
      await write(client, get('/next'))
      assert.deepEqual([statuses(client.received), client.requests], [['400'], []])
    })
  }

  const lines: Readonly<Record<string, string>> = {
    'a folded value': 'x: a\r\n b\r\n',
    'a folded first line': ' x: a\r\n',
    'a space before the colon': 'x : a\r\n',
    'a name in brackets': '(x): a\r\n',
    'a name of obs-text': '\u00fc: a\r\n',
    'no name': ': a\r\n',
    'no colon': 'x\r\n',
    'a line feed of its own': 'x: a\ny: b\r\n',
    'a carriage return of its own': 'x: a\ry: b\r\n',
    'a carriage return too many': 'x: a\r\r\n',
    'NUL in a value': 'x: a\0\r\n',
    'DEL in a value': 'x: a\x7f\r\n',
    'a vertical tab in a value': 'x: a\x0b\r\n',
    'an escape in a value': 'x: \x1b[2J\r\n',
    'two lengths': 'content-length: 1\r\ncontent-length: 1\r\n',
    'two lengths in one': 'content-length: 1, 1\r\n',
    'a length with a sign': 'content-length: +1\r\n',
    'a length that is none': 'content-length:\r\n',
    'a length too long to be one': `content-length: ${'0'.repeat(20)}\r\n`,
    'a length and chunks': 'content-length: 1\r\ntransfer-encoding: chunked\r\n',
    'chunks and a length': 'transfer-encoding: chunked\r\ncontent-length: 1\r\n',
    'a coding that is none': 'transfer-encoding:\r\n',
    'a coding nobody knows': 'transfer-encoding: cow\r\n',
    'one behind another': 'transfer-encoding: gzip, chunked\r\n',
    'chunks twice': 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n',
    'two hosts': 'host: b\r\n',
  }
  for (const [name, line] of Object.entries(lines)) {
    it(`N201 carries no request after one with ${name}, and none that stands behind it`, async () => {
      for (const place of [`host: a\r\n${line}`, `${line}host: a\r\n`]) {
        const client = connectClient()
        await write(client, `${get('/first')}POST /p HTTP/1.1\r\n${place}\r\n${get('/hidden')}`)
        assert.deepEqual(statuses(client.received), ['200', '400'])
        assert.deepEqual(
          client.requests.map(({ url }) => url),
          ['/first'],
        )
        client.side.end()
        await client.closed
      }
    })
  }

  const chunks: Readonly<Record<string, string>> = {
    'no size': '\r\nhello\r\n',
    'a sign': '+5\r\nhello\r\n',
    '0x in front': '0x5\r\nhello\r\n',
    'a space in front': ' 5\r\nhello\r\n',
    'a space behind': '5 \r\nhello\r\n',
    'more digits than a size has': `${'0'.repeat(9)}5\r\nhello\r\n`,
    'a bare line feed': '5\nhello\r\n',
    'a bare carriage return in its extension': '5;a\rb\r\nhello\r\n',
    'NUL in its extension': '5;\0\r\nhello\r\n',
    'an extension without a name': '5;=a\r\nhello\r\n',
    'an extension whose quotes do not end': '5;a="b\r\nhello\r\n',
    'its body’s length behind it': '0\r\nContent-Length: 5\r\n\r\n',
    'an extension without end': `5;${'a'.repeat(5_000)}`,
    'more than its size': '5\r\nhello!\r\n',
    'less than its size': '5\r\nhell\r\n0\r\n',
    'a trailer that is none': '0\r\nx\r\n\r\n',
    'a folded trailer': '0\r\nx: a\r\n b\r\n\r\n',
    'trailers without end': `0\r\n${'x: y\r\n'.repeat(65)}`,
  }
  for (const [name, body] of Object.entries(chunks)) {
    it(`N201 carries no request after a chunk with ${name}`, async () => {
      const client = connectClient()
      await write(client, `${post}transfer-encoding: chunked\r\n\r\n${body}`, get('/hidden'))
      assert.deepEqual([statuses(client.received), client.requests], [['400'], []])
      client.side.end()
      await client.closed
    })
  }

  it('answers requests that come together one after the other, and closes behind the one that asks for it', async () => {
    const client = connectClient({ isSlow: true })
    await write(client, get('/a') + get('/b') + get('/c', 'Connection: x, Close\r\n') + get('/d'))
    for (let n = 0; n < 3; n++) {
      assert.deepEqual([client.requests.length, statuses(client.received).length], [n + 1, n])
      client.waiting.shift()!()
      await settled()
    }
    assert.equal(client.requests.at(-1)!.url, '/c')
    assert.match(client.received, /#2$/)
    client.side.end()
    await client.closed
    assert.deepEqual(client.waiting, [])
  })

  it('is answered its last request, whatever stands behind it', async () => {
    const client = connectClient({ isSlow: true })
    await write(client, `${get('/a', 'connection: close\r\n')}\0nonsense`, get('/hidden'))
    client.waiting[0]!()
    await settled()
    assert.deepEqual([statuses(client.received), client.requests.length], [['200'], 1])
  })

  it('N201 is broken off by nonsense behind a request whose answer is still to come', async () => {
    const client = connectClient({ isSlow: true })
    await write(client, `${get('/a')}\0nonsense`)
    await client.closed
    assert.equal(client.received, '')
  })

  it('N215 that asks and asks and never reads is not asked for more', async () => {
    const client = connectClient()
    client.side.pause()
    for (let n = 0; n < 200; n++) client.side.write(get('/a').repeat(100))
    await settled()
    const before = client.requests.length
    assert.ok(before < 2_000, `${before} requests were carried out`)
    client.side.resume()
    for (let left = 10_000; left > 0 && client.requests.length < 20_000; left--) await settled()
    assert.equal(client.requests.length, 20_000)
    assert.equal(statuses(client.received).length, 20_000)
  })

  it('N215 has so long for its head, from its beginning on', async () => {
    const begun = performance.now()
    const [silent, slow] = [connectClient(), connectClient()]
    await write(slow, get('/a'), 'GET /b HT')
    silent.connection.expire(begun + 900, timeouts)
    slow.connection.expire(begun + 900, timeouts)
    await settled()
    assert.deepEqual([statuses(silent.received), statuses(slow.received)], [[], ['200']])
    silent.connection.expire(performance.now() + 1_001, timeouts)
    slow.connection.expire(performance.now() + 1_001, timeouts)
    await settled()
    assert.match(silent.received, /^HTTP\/1\.1 408 Request Timeout\r\n/)
    assert.deepEqual([statuses(silent.received), statuses(slow.received)], [['408'], ['200', '408']])
    // It reads the answer and does not go: one that stays for ever would hold the connection.
    silent.connection.expire(performance.now() + 31_001, timeouts)
    await silent.closed
  })

  it('N215 has so long for its body, and for the next request', async () => {
    const begun = performance.now()
    const [slow, idle] = [connectClient(), connectClient()]
    await write(slow, `${post}content-length: 5\r\n\r\nhell`)
    await write(idle, get('/a'))
    for (const { connection } of [slow, idle]) connection.expire(begun + 1_900, timeouts)
    await settled()
    assert.deepEqual([statuses(slow.received), statuses(idle.received)], [[], ['200']])
    for (const { connection } of [slow, idle]) connection.expire(performance.now() + 3_001, timeouts)
    await idle.closed
    assert.deepEqual([statuses(slow.received), statuses(idle.received)], [['408'], ['200']])
  })

  it('is waited for, however long its answer takes', async () => {
    const client = connectClient({ isSlow: true })
    await write(client, get('/a'))
    client.connection.expire(performance.now() + 1_000_000, timeouts)
    client.waiting[0]!()
    await settled()
    assert.deepEqual(statuses(client.received), ['200'])
  })

  it('ends when the server does: at once when nothing is due, else behind the answer', async () => {
    const [idle, busy] = [connectClient(), connectClient({ isSlow: true })]
    await write(idle, get('/a'))
    await write(busy, get('/a') + get('/b'))
    for (const { connection } of [idle, busy]) connection.drain()
    await idle.closed
    busy.waiting[0]!()
    busy.side.on('end', () => busy.side.end())
    await busy.closed
    assert.deepEqual([statuses(busy.received), busy.requests.length], [['200'], 1])
  })

  it('is sent the whole of its last answer when the server ends', async () => {
    const client = connectClient()
    client.side.pause()
    // More than fits on the way: some of it waits on the server's side.
    await write(client, get('/a').repeat(400), get('/a').repeat(400))
    client.connection.drain()
    client.side.resume().on('end', () => client.side.end())
    await client.closed
    assert.equal(statuses(client.received).length, 800)
  })

  it('that closes its side in the middle of a request is told so', async () => {
    for (const text of [
      'GET /a HT',
      `${post}content-length: 5\r\n\r\nhell`,
      `${post}transfer-encoding: chunked\r\n\r\n5\r\n`,
    ]) {
      const client = connectClient()
      await write(client, text)
      client.side.end()
      await client.closed
      assert.deepEqual([statuses(client.received), client.requests], [['400'], []])
    }
  })

  it('skips empty lines in front of a request, and is not kept alive by them', async () => {
    const client = connectClient()
    await write(client, `\r\n\r\n${get('/a')}`, '\r\n', '\r\n'.repeat(1_000))
    client.connection.expire(performance.now() + 3_001, timeouts)
    await client.closed
    assert.deepEqual(statuses(client.received), ['200'])
  })
})
