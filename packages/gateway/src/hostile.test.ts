import assert from 'node:assert/strict'
import net, { type AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Bench, standardDocument, startBench } from './test-gateway.ts'

describe('hostile clients', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
    bench.upstream.reply = null
  })

  const openConnections = (): Promise<number> =>
    new Promise((resolve) => bench.gateway.server.getConnections((_, count) => resolve(count)))
  const untilNoneIsOpen = async (): Promise<void> => {
    for (let left = 1_200; left > 0 && (await openConnections()) > 0; left--) await wait(50)
    assert.equal(await openConnections(), 0)
  }
  const connect = (text: string): net.Socket => {
    const socket = net.connect({ port: bench.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => undefined).write(text, 'latin1')
    return socket
  }
  const close = 'host: a\r\nconnection: close\r\n'

  it('N215 hold no connection after a refusal, whether they go on sending, fall silent or never read', async () => {
    const refused = [
      'GARBAGE\r\n\r\n',
      'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n',
      `GET /open/a HTTP/1.1\r\n${close}expect: nothing\r\n\r\n`,
      `POST /open/a HTTP/1.1\r\n${close}content-length: 99999999999\r\n\r\n`,
      `GET /open/a HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(50_000)}\r\n\r\n`,
    ]
    const sockets = refused.flatMap((text) => [connect(text), connect(text + 'z'.repeat(300_000))])
    const chatter = setInterval(() => sockets.map((socket) => socket.writable && socket.write('more\r\n')), 20)
    // None of them reads what it is sent, and none closes.
    for (const socket of sockets) socket.pause()
    await wait(100)
    await untilNoneIsOpen()
    clearInterval(chatter)
    for (const socket of sockets) socket.destroy()
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N214 N215 that reset a connection they are refused on end nothing but that connection', async () => {
    const crashes: unknown[] = []
    const onCrash = (error: unknown): void => void crashes.push(error)
    process.on('uncaughtException', onCrash)
    for (const text of ['CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n', 'GARBAGE\r\n\r\n']) {
      for (let left = 100; left > 0; left--) {
        const socket = connect(text)
        socket.once('connect', () => setTimeout(() => socket.resetAndDestroy(), left % 3))
      }
    }
    await wait(300)
    await untilNoneIsOpen()
    process.off('uncaughtException', onCrash)
    assert.deepEqual(crashes, [])
    assert.equal((await bench.send({ path: '/open/b' })).status, 200)
  })

  it('N215 cost nobody else anything while they dawdle with head, body or reading', async () => {
    const big = Buffer.alloc(5_000_000, 'b')
    bench.upstream.reply = (request, response) => {
      request.resume()
      response.writeHead(200, { 'content-length': big.length }).end(big)
    }
    const slow = [
      ...Array.from({ length: 30 }, () => connect('GET /open/a HTTP/1.1\r\nho')),
      ...Array.from({ length: 30 }, () => connect('POST /open/a HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx')),
      ...Array.from({ length: 30 }, () => connect('GET /open/a HTTP/1.1\r\nhost: a\r\n\r\n').pause()),
    ]
    await wait(200)
    bench.upstream.reply = null
    assert.equal((await bench.send({ path: '/open/b' })).body, '{"method":"GET","url":"/base/b","bytes":0}')
    for (const socket of slow) socket.destroy()
    await untilNoneIsOpen()
  })

  it('N215 that do not read are given up with the timeout of the integration', async () => {
    const big = Buffer.alloc(30_000_000, 'b')
    bench.upstream.reply = (_request, response) => void response.end(big)
    await bench.serve(standardDocument, { timeoutMs: 2_000 })
    bench.logLines.length = 0
    const socket = connect(`GET /open/a HTTP/1.1\r\n${close}\r\n`).pause()
    for (let left = 1_200; left > 0 && bench.logLines.length === 0; left--) await wait(50)
    assert.equal(bench.logLines.length, 1)
    await bench.serve(standardDocument, {})
    socket.destroy()
    await untilNoneIsOpen()
  })

  it('N201 N214 speak neither HTTP/0.9, HTTP/2 nor anything with another authority through the gateway', async () => {
    const odd = [
      'GET /open/a\r\n\r\n',
      'GET /open/a HTTP/0.9\r\nhost: a\r\n\r\n',
      'GET /open/a HTTP/2.0\r\nhost: a\r\n\r\n',
      'POST /open/a HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET http://a/open/a HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET http://b/open/a HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n',
      'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
      ' GET /open/a HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET\t/open/a\tHTTP/1.1\r\nhost: a\r\n\r\n',
      'GET /open/a HTTP/1.1\nhost: a\n\n',
      'GET /open/a HTTP/1.1\rhost: a\r\r',
    ]
    for (const request of odd) {
      const answer = await bench.raw(request.replace('host: a\r\n', `host: a\r\nconnection: close\r\n`))
      assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(request))
      assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1)
    }
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N201 hide no request behind an answer that came early (0.CL, TE.0)', async () => {
    const hidden = 'GET /todos HTTP/1.1\r\nhost: a\r\n\r\n'
    const early = [
      // The route refuses before the body comes; the body must not be read as a request.
      `GET /todos HTTP/1.1\r\nhost: a\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`,
      `POST /todos HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
      `GET /nothing/ HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`,
    ]
    for (const request of early) {
      const answer = await bench.raw(`${request}GET /open/last HTTP/1.1\r\n${close}\r\n`)
      const last = bench.upstream.seen.map(({ url }) => url).filter((url) => url !== '/fallback/nothing/')
      assert.deepEqual(last, ['/base/last'], answer)
      bench.upstream.seen.length = 0
    }
  })

  it('N202 overwrite no mapped name, in any spelling, beside, before or behind the honest one', async () => {
    await bench.serve(standardDocument, {
      requestParameters: { 'overwrite:header.x-org-id': '$context.authorizer.claims.org_id' },
    })
    const token = bench.issuer.mint({ org_id: 'own' })
    const spellings = ['x-org-id', 'X-ORG-ID', 'x_org_id', 'X-Org_Id', 'x.org.id', "x'org'id", 'x+org+id', 'x|org|id']
    for (const name of spellings) {
      for (const value of ['forged', '', ' ', 'own', 'a,b', '\u00ff']) {
        const lines = `${name}: ${value}\r\nauthorization: Bearer ${token}\r\n${name}: ${value}\r\n`
        const answer = await bench.raw(Buffer.from(`GET /pets/1 HTTP/1.1\r\n${close}${lines}\r\n`, 'latin1'))
        assert.match(answer, /^HTTP\/1\.1 200 /)
        const { rawHeaders } = bench.upstream.seen.pop()!
        const names = rawHeaders.filter((text, i) => i % 2 === 0 && /org/i.test(text))
        assert.deepEqual([names, rawHeaders[rawHeaders.indexOf('x-org-id') + 1]], [['x-org-id'], 'own'])
      }
    }
    for (const name of ['x-org-id ', ' x-org-id', 'x-org-id\t', 'x-org\0-id', 'x-org-id\r']) {
      const lines = `${name}: forged\r\nauthorization: Bearer ${token}\r\n`
      assert.match(
        await bench.raw(`GET /pets/1 HTTP/1.1\r\n${close}${lines}\r\n`),
        /^HTTP\/1\.1 400 /,
        JSON.stringify(name),
      )
    }
    assert.equal(bench.upstream.seen.length, 0)
  })
})

describe('hostile upstreams', () => {
  let bench: Bench
  let server: net.Server
  let reply: (socket: net.Socket) => void
  const open = new Set<net.Socket>()
  before(async () => {
    server = net.createServer((socket) => {
      open.add(socket)
      socket.on('error', () => undefined).on('close', () => open.delete(socket))
      socket.once('data', () => reply(socket))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    bench = await startBench()
    await patient()
  })
  after(async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await bench.close()
  })

  const serve = (timeoutMs: number) =>
    bench.serve(standardDocument, { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, timeoutMs })
  /** For what is answered at once, however slow the machine is; and for what is not. */
  const [patient, impatient] = [() => serve(20_000), () => serve(1_000)]

  const repeat = (text: string) => (socket: net.Socket) => {
    const timer = setInterval(() => socket.write(text), 1)
    socket.on('close', () => clearInterval(timer))
  }
  const tricks: Readonly<Record<string, (socket: net.Socket) => void>> = {
    'never answers': () => undefined,
    'resets the connection': (socket) => void socket.resetAndDestroy(),
    'closes without a word': (socket) => void socket.end(),
    'sends informational answers without end': repeat('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(20)),
    'sends headers without end': repeat(`x: ${'y'.repeat(500)}\r\n`),
    'sends a head byte by byte and never ends it': repeat('H'),
    'breaks off in its head': (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-len'),
    'switches protocols unasked': (socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    'speaks something else': (socket) => void socket.write('SSH-2.0-OpenSSH\r\n\r\n'),
    'writes what no header can hold': (socket) =>
      void socket.write('HTTP/1.1 200 OK\r\nx: a\x01\r\ncontent-length: 2\r\n\r\nok'),
    'says two lengths': (socket) =>
      void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok'),
  }
  for (const [name, trick] of Object.entries(tricks)) {
    it(`N220 an upstream that ${name} costs its own request and nobody else’s`, async () => {
      reply = trick
      await impatient()
      const answer = await bench.send({ path: '/open/a' })
      assert.deepEqual([answer.status, answer.body], [503, '{"message":"Service Unavailable"}'])
      for (let left = 1_200; left > 0 && open.size > 0; left--) await wait(50)
      assert.equal(open.size, 0, 'its connection is not kept')
      await patient()
      reply = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext')
      assert.equal((await bench.send({ path: '/open/b' })).body, 'next')
      for (const socket of open) socket.destroy()
    })
  }

  it('N220 an upstream that answers early and reads no body leaves the client its connection', async () => {
    reply = (socket) => {
      socket.pause()
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly')
    }
    const client = net.connect(bench.port, '127.0.0.1')
    let received = ''
    client.on('data', (bytes) => {
      received += bytes.toString('latin1')
    })
    const body = Buffer.alloc(8_000_000, 'b')
    client.write(`POST /open/a HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`)
    client.write(body)
    for (let left = 1_200; left > 0 && !received.endsWith('early'); left--) await wait(50)
    assert.match(received, /^HTTP\/1\.1 200 [\s\S]*early$/)
    reply = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext')
    client.write('GET /open/b HTTP/1.1\r\nhost: a\r\n\r\n')
    for (let left = 1_200; left > 0 && !received.endsWith('next'); left--) await wait(50)
    assert.match(received, /early[\s\S]*next$/)
    client.destroy()
    for (const socket of open) socket.destroy()
  })

  it('N220 an answer that never ends is broken off with the timeout, and never looks whole', async () => {
    reply = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      repeat('1\r\nx\r\n')(socket)
    }
    await impatient()
    await assert.rejects(bench.send({ path: '/open/a' }), /aborted|hang up|ECONNRESET/)
    for (let left = 1_200; left > 0 && open.size > 0; left--) await wait(50)
    assert.equal(open.size, 0)
  })
})
