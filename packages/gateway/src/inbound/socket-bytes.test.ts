import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { readBytes } from './socket-bytes.ts'

describe('the bytes of clients', () => {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true })
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => server.close())

  async function connect(): Promise<{ client: Socket; accepted: Socket }> {
    const { port } = server.address() as net.AddressInfo
    const client = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const [accepted] = (await once(server, 'connection')) as [Socket]
    return { client, accepted }
  }

  it('are read into one buffer for all connections, with the Node that this runs on', async () => {
    const first = await connect()
    const second = await connect()
    const read: { text: string; memory: ArrayBufferLike }[] = []
    const came = new Promise<void>((resolve) => {
      for (const { accepted } of [first, second]) {
        const how = readBytes(accepted, (bytes) => {
          if (read.push({ text: bytes.toString(), memory: bytes.buffer }) === 2) resolve()
        })
        assert.equal(how, 'shared')
      }
    })
    first.client.write('one')
    second.client.write('two')
    await came
    assert.deepEqual(read.map(({ text }) => text).toSorted(), ['one', 'two'])
    assert.equal(read[0]!.memory, read[1]!.memory)
    for (const { client, accepted } of [first, second]) {
      client.end()
      await once(accepted, 'end')
      accepted.destroy()
    }
  })

  it('wait in the kernel while a connection is paused, and all of them come', async () => {
    const { client, accepted } = await connect()
    const sent = Buffer.alloc(8 * 1024 * 1024, 'abcdefg')
    const chunks: Buffer[] = []
    readBytes(accepted, (bytes) => {
      chunks.push(Buffer.from(bytes))
      accepted.pause()
    })
    client.end(sent)
    const ended = once(accepted, 'end')
    const resuming = setInterval(() => accepted.resume(), 1)
    await ended
    clearInterval(resuming)
    assert.ok(Buffer.concat(chunks).equals(sent))
    assert.ok(chunks.every(({ length }) => length <= 64 * 1024))
    accepted.destroy()
  })

  it('come as events from whatever is no plain connection of Node’s', async () => {
    const [side, other] = duplexPair()
    const read: string[] = []
    assert.equal(
      readBytes(other as Socket, (bytes) => read.push(bytes.toString())),
      'events',
    )
    side.write('one')
    await once(other, 'data')
    assert.deepEqual(read, ['one'])
  })
})
