import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { type Bench, startBench } from './test-gateway.ts'

/** Heads and bodies that two parsers may frame differently. Each hides `GET /todos` from one of them. */
const hidden = 'GET /todos HTTP/1.1\r\nhost: a\r\n\r\n'
const post = 'POST /open/a HTTP/1.1\r\nhost: a\r\n'
const corpus: Readonly<Record<string, string>> = {
  'CL.TE': `${post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE.CL': `${post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${hidden}`,
  'TE.TE, second unknown': `${post}transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n\r\n0\r\n\r\n${hidden}`,
  'TE.TE, first unknown': `${post}transfer-encoding: cow\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE list': `${post}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE misspelt': `${post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE with vertical tab': `${post}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE in HTTP/1.0': `POST /open/a HTTP/1.0\r\nhost: a\r\ntransfer-encoding: cow\r\n\r\n0\r\n\r\n${hidden}`,
  'two lengths that differ': `${post}content-length: 0\r\ncontent-length: 5\r\n\r\nhello${hidden}`,
  'two lengths that agree': `${post}content-length: 5\r\ncontent-length: 5\r\n\r\nhello${hidden}`,
  'length list': `${post}content-length: 5, 5\r\n\r\nhello${hidden}`,
  'signed length': `${post}content-length: +5\r\n\r\nhello${hidden}`,
  'hex length': `${post}content-length: 0x5\r\n\r\nhello${hidden}`,
  'negative length': `${post}content-length: -1\r\n\r\n${hidden}`,
  'length beyond integers': `${post}content-length: 99999999999999999999\r\n\r\n${hidden}`,
  'space before the colon': `${post}content-length : 5\r\n\r\nhello${hidden}`,
  'obs-fold': `${post}x-a: b\r\n content-length: 5\r\n\r\nhello${hidden}`,
  'folded transfer-encoding': `${post}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'bare LF between headers': `${post}x-a: b\ncontent-length: 5\r\n\r\nhello${hidden}`,
  'bare CR in a value': `${post}x-a: b\rcontent-length: 5\r\n\r\nhello${hidden}`,
  'NUL in a value': `${post}x-a: b\0c\r\n\r\n${hidden}`,
  'NUL in a name': `${post}x\0a: b\r\n\r\n${hidden}`,
  'header without a name': `${post}: b\r\n\r\n${hidden}`,
  'header without a colon': `${post}transfer-encoding chunked\r\n\r\n${hidden}`,
  'space in the target': `GET /open/a HTTP/1.1\r\nx: y HTTP/1.1\r\nhost: a\r\n\r\n`.replace('\r\nx: y', ' x'),
  'unknown version': `GET /open/a HTTP/1.9\r\nhost: a\r\n\r\n`,
  'chunk size with a sign': `${post}transfer-encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n`,
  'chunk size in 0x form': `${post}transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`,
  'chunk size that overflows': `${post}transfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n`,
  'chunk longer than its size': `${post}transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n`,
  'chunk ended by a bare LF': `${post}transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n`,
  'chunk extension with a bare LF': `${post}transfer-encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n`,
  'TE in HTTP/1.0, chunked': `POST /open/a HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE quoted': `${post}transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n${hidden}`,
  'TE with a parameter': `${post}transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n${hidden}`,
  'TE empty': `${post}transfer-encoding:\r\n\r\n${hidden}`,
  'TE identity': `${post}transfer-encoding: identity\r\n\r\n${hidden}`,
  'TE twice chunked': `${post}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE with NUL': `${post}transfer-encoding: chunked\0\r\n\r\n0\r\n\r\n${hidden}`,
  'TE behind a bare CR': `${post}x: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'TE with a space before the colon': `${post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'length with a space inside': `${post}content-length: 1 0\r\n\r\nhello${hidden}`,
  'length as a float': `${post}content-length: 5.0\r\n\r\nhello${hidden}`,
  'length with trailing text': `${post}content-length: 5x\r\n\r\nhello${hidden}`,
  'length empty': `${post}content-length:\r\n\r\n${hidden}`,
  'chunk extension with a bare CR': `${post}transfer-encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n`,
  'chunk extension with NUL': `${post}transfer-encoding: chunked\r\n\r\n5;\0\r\nhello\r\n0\r\n\r\n`,
  'chunk size with a space inside': `${post}transfer-encoding: chunked\r\n\r\n5 0\r\nhello\r\n0\r\n\r\n`,
  'chunk size empty': `${post}transfer-encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n`,
  'last chunk ended by a bare LF': `${post}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\n${hidden}`,
  'trailer without a colon': `${post}transfer-encoding: chunked\r\n\r\n0\r\nx\r\n\r\n${hidden}`,
  'two hosts': `GET /open/a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`,
  'no host': 'GET /open/a HTTP/1.1\r\n\r\n',
}

describe('N201 request smuggling', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
  })

  for (const [name, bytes] of Object.entries(corpus)) {
    it(`is answered 400 and ended: ${name}`, async () => {
      const answer = await bench.raw(bytes)
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
      assert.match(answer, /\r\nconnection: close\r\n/i)
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, 'one answer, then silence')
      const complete = bench.upstream.seen.filter(({ url }) => url !== '/base/a')
      assert.deepEqual(complete, [])
      assert.equal((await bench.send({ path: '/open/next' })).body, '{"method":"GET","url":"/base/next","bytes":0}')
    })
  }

  it('does not happen through a body that looks like a request', async () => {
    const smuggled = 'GET /todos HTTP/1.1\r\nhost: a\r\n\r\n'
    const whole = `${post}connection: close\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`
    assert.match(await bench.raw(whole), /^HTTP\/1\.1 200 /)
    assert.deepEqual(
      bench.upstream.seen.map(({ url, body }) => [url, body.toString()]),
      [['/base/a', smuggled]],
    )
  })

  it('does not happen through a body that a GET should not have', async () => {
    const smuggled = 'GET /todos HTTP/1.1\r\nhost: a\r\n\r\n'
    const request = `GET /open/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`
    assert.match(await bench.raw(request), /^HTTP\/1\.1 200 /)
    assert.deepEqual(
      bench.upstream.seen.map(({ url, body }) => [url, body.toString()]),
      [['/base/a', smuggled]],
    )
  })

  it('does not come back through trailers', async () => {
    const request = `${post}connection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-forwarded-for\r\n\r\n2\r\nok\r\n0\r\nx-forwarded-for: 6.6.6.6\r\n\r\n`
    assert.match(await bench.raw(request), /^HTTP\/1\.1 200 /)
    assert.equal(bench.upstream.seen[0]?.headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(bench.upstream.seen[0]?.body.toString(), 'ok')
  })

  it('leaves pipelined requests their own answers, in order', async () => {
    const one = (name: string, last = ''): string => `GET /open/${name} HTTP/1.1\r\nhost: a\r\n${last}\r\n`
    const answer = await bench.raw(one('a') + one('b') + one('c', 'connection: close\r\n'))
    assert.deepEqual(
      [...answer.matchAll(/"url":"([^"]*)"/g)].map(([, url]) => url),
      ['/base/a', '/base/b', '/base/c'],
    )
  })

  it('never answers garbage before the requests in front of it', async () => {
    bench.upstream.reply = (_request, response) => void setTimeout(() => response.end('late'), 100)
    const answer = await bench.raw('GET /open/a HTTP/1.1\r\nhost: a\r\n\r\n\0garbage\r\n\r\n')
    bench.upstream.reply = null
    assert.equal(answer, '', 'a 400 here would be taken for the answer to /open/a')
  })
})
