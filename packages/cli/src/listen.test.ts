import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { createServer } from '@tenantry/kernel/http/server.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { listen, localOrigin } from './listen.ts'

test('an address at the port of its scheme is named without it, as every client does in Host', () => {
  assert.deepEqual(
    [localOrigin('https', 443), localOrigin('http', 80), localOrigin('https', 80), localOrigin('http', 4000)],
    ['https://localhost', 'http://localhost', 'https://localhost:80', 'http://localhost:4000'],
  )
})

test('a connection is kept for longer than load balancers keep it, and clients are told so', async () => {
  const app = createServer({ logger: createLogger({ level: 'silent' }) })
  app.get('/', async () => ({}))
  const taken = createTcpServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await new Promise((resolve) => taken.close(resolve))
  const listener = await listen(app, { port, host: '127.0.0.1', variable: 'PORT' })
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    assert.deepEqual([answer.status, answer.headers.get('keep-alive')], [200, 'timeout=72'])
  } finally {
    await listener.close()
    await app.close()
  }
})
