import assert from 'node:assert/strict'
import net, { type AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { UpstreamRequest } from './upstream-connection.ts'
import { createUpstreamPool, type UpstreamPool } from './upstream-pool.ts'

interface Outcome {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: string
}

/** An upstream of bare bytes: each request head is answered by the next text of the script. */
describe('the connections to an upstream', () => {
  let server: net.Server
  let pool: UpstreamPool
  let script: ((socket: net.Socket, received: string) => void)[]
  let connections: number

  beforeEach(async () => {
    script = []
    connections = 0
    server = net.createServer((socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => script.shift()?.(socket, chunk.toString('latin1')))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    pool = createUpstreamPool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
  afterEach(() => {
    pool.close()
    server.close()
  })

  const send = (request: Partial<UpstreamRequest> = {}): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const method = request.method ?? 'GET'
      const whole = { method, head: `${method} / HTTP/1.1\r\nhost: a\r\n`, body: null, bodyLength: 0, ...request }
      let status = 0
      let fields: readonly string[] = []
      let body = ''
      pool.send(whole, {
        onHead: (head) => {
          status = head.status
          fields = head.fields.slice(2)
        },
        onData: (chunk) => {
          body += chunk.toString('latin1')
          return true
        },
        onEnd: () => resolve({ status, fields, body }),
        onError: reject,
      })
    })
  const answer = (text: string, end = false): void => {
    script.push((socket) => (end ? socket.end(text, 'latin1') : socket.write(text, 'latin1')))
  }
  const ok = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`

  it('are used again, one exchange at a time', async () => {
    answer(ok('one'))
    answer(ok('two'))
    assert.equal((await send()).body, 'one')
    assert.equal((await send()).body, 'two')
    assert.equal(connections, 1)
    answer(ok('a'))
    answer(ok('b'))
    await Promise.all([send(), send()])
    assert.equal(connections, 2)
  })

  it('read every framing of RFC 9112: length, chunks, none, until close', async () => {
    answer(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nx-t: 1\r\n\r\n',
    )
    assert.equal((await send()).body, 'abc0123456789')
    answer('HTTP/1.1 204 No Content\r\n\r\n')
    assert.deepEqual(await send(), { status: 204, fields: [], body: '' })
    answer('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')
    assert.equal((await send({ method: 'HEAD' })).body, '')
    answer('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    assert.deepEqual(await send(), { status: 200, fields: ['content-length', '2'], body: 'ok' })
    assert.equal(connections, 1)
    answer('HTTP/1.0 200 OK\r\n\r\nuntil the end', true)
    assert.equal((await send()).body, 'until the end')
    answer('HTTP/1.1 200 OK\r\n\r\nuntil the end', true)
    assert.equal((await send()).body, 'until the end')
    answer(ok('next'))
    assert.equal((await send()).body, 'next')
    assert.equal(connections, 3)
  })

  it('read an answer that comes byte by byte', async () => {
    const text = 'HTTP/1.1 200 OK\r\nX-A:  b \r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    script.push(async (socket) => {
      socket.setNoDelay(true)
      for (const character of text) {
        socket.write(character)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    assert.deepEqual(await send(), { status: 200, fields: ['x-a', 'b'], body: 'ok' })
  })

  const malformed: Readonly<Record<string, string>> = {
    'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok',
    'length and chunks':
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    'length list': 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok',
    'negative length': 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok',
    'unknown coding': 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'coding in 1.0': 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'folded header': 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n',
    'space before the colon': 'HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n',
    'bare LF': 'HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\ncontent-length: 0\r\n\r\n',
    'bare CR': 'HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n',
    NUL: 'HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n',
    'no status': 'HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n',
    'HTTP/2': 'HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n',
    'unasked upgrade': 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n',
    'chunk size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nok\r\n0\r\n\r\n',
    'chunk longer than said': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n',
    'chunk line with bare LF': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\nok\n0\n\n',
    'endless head': `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`,
  }
  for (const [name, text] of Object.entries(malformed)) {
    it(`N220 end with an answer that could be read in two ways: ${name}`, async () => {
      answer(text)
      await assert.rejects(send(), /malformed|too large/)
      answer(ok('next'))
      assert.equal((await send()).body, 'next')
      assert.equal(connections, 2)
    })
  }

  it('N220 end when an answer breaks off', async () => {
    const halves = [
      'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf',
    ]
    for (const half of [...halves, 'HTTP/1.1 200 OK\r\ncontent-le']) {
      answer(half, true)
      await assert.rejects(send(), /closed the connection before its answer was complete/)
    }
  })

  it('N220 give no caller an answer that nobody asked for', async () => {
    answer(`${ok('mine')}${ok('poison')}`)
    assert.equal((await send()).body, 'mine')
    answer(ok('next'))
    assert.equal((await send()).body, 'next')
    const ended = new Promise((resolve) => {
      script.push((socket) => {
        socket.write(ok('mine'))
        setTimeout(() => socket.write(ok('late')), 20)
        socket.once('close', resolve)
      })
    })
    assert.equal((await send()).body, 'mine')
    // Before that, what is sent next would meet the late answer on its way.
    await ended
    answer(ok('next'))
    assert.equal((await send()).body, 'next')
  })

  it('are not used again after an answer that came before the end of the request', async () => {
    const body = new PassThrough()
    body.write('half')
    answer(ok('early'))
    assert.equal((await send({ method: 'POST', body, bodyLength: 9 })).body, 'early')
    answer(ok('next'))
    assert.equal((await send()).body, 'next')
    assert.equal(connections, 2)
  })

  it('that were closed while idle cost a GET nothing and fail a POST, which may have been done', async () => {
    const goStale = async (): Promise<void> => {
      answer(ok('warm'))
      await send()
      // Closes on the next request without a word, as a server does whose idle limit has just passed.
      script.push((socket) => socket.destroy())
    }
    await goStale()
    answer(ok('again'))
    assert.equal((await send()).body, 'again')
    await goStale()
    await assert.rejects(send({ method: 'POST' }), /closed the connection/)
  })

  it('send a body with its length or in chunks', async () => {
    for (const [bodyLength, expected] of [
      [5, 'content-length: 5\r\n\r\nhello'],
      [-1, 'transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ] as const) {
      let received = ''
      const collect = (socket: net.Socket, text: string): void => {
        received += text
        if (received.endsWith(expected)) socket.write(ok('got it'))
        else script.push(collect)
      }
      script.push(collect)
      const body = new PassThrough()
      body.end('hello')
      assert.equal((await send({ method: 'POST', body, bodyLength })).body, 'got it')
      assert.ok(received.endsWith(expected))
    }
  })

  it('hold a paused upstream back', async () => {
    const size = 8_000_000
    answer(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${'x'.repeat(size)}`)
    let bytes = 0
    let resume: (() => void) | undefined
    const done = new Promise<void>((resolve, reject) => {
      const request = { method: 'GET', head: 'GET / HTTP/1.1\r\nhost: a\r\n', body: null, bodyLength: 0 }
      const ticket = pool.send(request, {
        onHead: () => undefined,
        onData: (chunk) => {
          bytes += chunk.length
          return false
        },
        onEnd: resolve,
        onError: reject,
      })
      resume = () => ticket.resume()
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(bytes < 1_000_000, `${bytes} bytes came through a pause`)
    const timer = setInterval(() => resume?.(), 1)
    await done
    clearInterval(timer)
    assert.equal(bytes, size)
  })
})
