import assert from 'node:assert/strict'
import http from 'node:http'
import type { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { describe, it } from 'node:test'
import type { Exchange } from '../exchange.ts'
import { attendClient } from './client-connection.ts'
import { settled } from './fixture.ts'

/** What Node's `ServerResponse` and ours have in common. */
interface Answering {
  writeContinue(): void
  writeHead(status: number, fields: string[]): void
  write(chunk: Buffer): boolean
  end(body?: string | Buffer): void
}

type Reply = (response: Answering) => void

const now = Date.UTC(2026, 10, 30, 12, 0, 5)
const seen = (side: Duplex): (() => string) => {
  let received = ''
  side.on('error', () => undefined)
  side.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
  })
  return () => received.replace(/\r\nDate: [^\r]*/g, '\r\nDate: now')
}

/** All bytes of an answer, and whether the connection ended behind it. */
async function byOurs(request: string, reply: Reply): Promise<[bytes: string, isEnded: boolean]> {
  const [side, other] = duplexPair()
  attendClient(other as Socket, {
    pipeline: (_request, response) => {
      reply(response)
      return { isEnded: true } as Exchange
    },
    now: () => now,
    keepAlive: 'timeout=65',
    onClosed: () => undefined,
  })
  return talk(side, other, request)
}

async function byNode(request: string, reply: Reply): Promise<[bytes: string, isEnded: boolean]> {
  const answer = (_request: http.IncomingMessage, response: http.ServerResponse): void =>
    reply({
      writeContinue: () => response.writeContinue(),
      writeHead: (code, fields) => void response.writeHead(code, fields),
      write: (chunk) => response.write(chunk),
      // A text takes its head along, in the same encoding.
      end: (body = '') => void (typeof body === 'string' ? response.end(body, 'latin1') : response.end(body)),
    })
  const server = http.createServer({ keepAliveTimeout: 65_000 }, answer).on('checkContinue', answer)
  const [side, other] = duplexPair()
  server.emit('connection', other)
  const found = await talk(side, other, request)
  server.close()
  return found
}

async function talk(side: Duplex, other: Duplex, request: string): Promise<[string, boolean]> {
  const received = seen(side)
  side.write(request)
  await settled()
  await settled()
  const isEnded = other.writableEnded || other.destroyed
  side.destroy()
  other.destroy()
  return [received(), isEnded]
}

const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
const whole: Reply = (response) => {
  response.writeHead(200, ['x-a', '\u00e9', 'content-length', '5'])
  response.end('hello')
}
const stream: Reply = (response) => {
  response.writeHead(200, ['x-a', 'b'])
  response.write(Buffer.from('hello'))
  response.write(Buffer.alloc(0))
  response.write(Buffer.from('again'))
  response.end()
}
const nothing: Reply = (response) => {
  response.writeHead(200, [])
  response.end()
}
const status =
  (code: number, ...fields: string[]): Reply =>
  (response) => {
    response.writeHead(code, fields)
    response.end()
  }

const cases: Readonly<Record<string, readonly [request: string, reply: Reply]>> = {
  'of a known length': [get, whole],
  'of a known length, in pieces': [
    get,
    (response) => {
      response.writeHead(200, ['content-length', '10'])
      response.write(Buffer.from('hello'))
      response.end(Buffer.from('again'))
    },
  ],
  'of no known length': [get, stream],
  'of no length at all': [get, nothing],
  'to HEAD, with a length': [get.replace('GET', 'HEAD'), whole],
  'to HEAD, without a length': [get.replace('GET', 'HEAD'), stream],
  '204': [get, status(204)],
  '304 that has a length': [get, status(304, 'content-length', '5', 'etag', '"x"')],
  'of a status without a name': [get, status(299, 'content-length', '0')],
  'that has a date': [get, status(200, 'date', 'long ago', 'content-length', '0')],
  'that closes': [get, status(400, 'connection', 'close', 'content-length', '0')],
  'to a client that closes': [get.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'), whole],
  'to HTTP/1.0, of a known length': [get.replace('1.1', '1.0'), whole],
  'to HTTP/1.0, of no known length': [get.replace('1.1', '1.0'), stream],
  'to HTTP/1.0 that would stay': ['GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n', whole],
  'to HTTP/1.0 that would stay, of no known length': [
    'GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n',
    stream,
  ],
  '204 to HTTP/1.0 that would stay': ['GET / HTTP/1.0\r\nhost: a\r\nconnection: Keep-Alive\r\n\r\n', status(204)],
  'behind a go-ahead': [
    'POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n',
    (response) => {
      response.writeContinue()
      whole(response)
    },
  ],
  'instead of a go-ahead': ['POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n', whole],
}

describe('an answer', () => {
  for (const [name, [request, reply]] of Object.entries(cases)) {
    it(`is written byte for byte as Node’s server writes it: ${name}`, async () => {
      const ours = await byOurs(request, reply)
      assert.deepEqual(ours, await byNode(request, reply))
      assert.match(ours[0], /^HTTP\/1\.1 \d{3} /)
    })
  }

  it('has the date of its moment', async () => {
    let text = ''
    const [side, other] = duplexPair()
    side.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
    })
    attendClient(other as Socket, {
      pipeline: (_request, response) => {
        whole(response)
        return { isEnded: true } as Exchange
      },
      now: () => now,
      keepAlive: 'timeout=65',
      onClosed: () => undefined,
    })
    side.write(get)
    await settled()
    assert.match(text, /\r\nDate: Mon, 30 Nov 2026 12:00:05 GMT\r\n/)
  })

  it('N204 holds no header that would end its line or be none', async () => {
    const odd = [
      ['x', 'a\r\nset-cookie: b'],
      ['x', 'a\nb'],
      ['x', 'a\0'],
      ['x', '\u010d'],
      ['x: a\r\ny', 'b'],
      ['', 'b'],
      ['x y', 'b'],
    ]
    for (const fields of odd) {
      let thrown: unknown
      const [bytes] = await byOurs(get, (response) => {
        try {
          response.writeHead(200, fields)
        } catch (error) {
          thrown = error
          status(500, 'content-length', '0')(response)
        }
      })
      assert.ok(thrown instanceof Error, JSON.stringify(fields))
      assert.match(bytes, /^HTTP\/1\.1 500 Internal Server Error\r\ncontent-length: 0\r\nDate: now\r\n/)
    }
  })
})
