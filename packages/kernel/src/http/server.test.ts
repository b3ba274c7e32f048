import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '../logger.ts'
import { createServer } from './server.ts'

async function addressSeen(trustedProxies: string[] | undefined, peer: string): Promise<string> {
  const app = createServer({ logger: createLogger({ level: 'silent' }), trustedProxies })
  app.get('/', async (request) => request.ip)
  const headers = { 'x-forwarded-for': '203.0.113.9' }
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
