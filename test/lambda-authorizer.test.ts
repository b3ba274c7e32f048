/** The example's function, in a process of its own behind the gateway, with tokens of a real issuer. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createLocalFunctions } from '@tenantry/gateway/functions/local/local.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import { audience, startIssuer, startUpstream } from '@tenantry/gateway/test-issuer.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { pino } from 'pino'

const example = path.join(import.meta.dirname, '../examples/lambda-authorizer')
const ROLE = 'https://example.test/role'

test('the example of a Lambda authorizer lets each role do what it may, by a claim that only it understands', async (t) => {
  const [issuer, upstream] = await Promise.all([startIssuer(() => systemClock.now().getTime()), startUpstream()])
  const lines: Record<string, unknown>[] = []
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const handlerFile = path.join(example, 'authorizer.mjs')
  const functions = createLocalFunctions({
    logger,
    functions: { roles: { handlerFile, handlerName: 'handler', timeoutMs: 30_000 } },
  })
  const { api } = await loadOpenApi(readFileSync(path.join(example, 'api.openapi.yaml'), 'utf8'), {
    id: 'documents',
    stageVariables: { issuer: issuer.issuer, audience, backend: new URL(upstream.url).host },
    discover: createDiscover(createFetchJson()),
    failOnWarnings: true,
  })
  const gateway = createGateway({ apis: [api], clock: systemClock, logger, functions })
  const { port } = await gateway.listen(0, '127.0.0.1')
  t.after(async () => {
    gateway.server.closeAllConnections()
    await gateway.close()
    await Promise.all([functions.close(), issuer.close(), upstream.close()])
  })
  const ask = async (call: string, token: string | null): Promise<number> => {
    const [method = '', target] = call.split(' ')
    const headers = token === null ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(`http://127.0.0.1:${port}${target}`, { method, headers })
    await response.arrayBuffer()
    return response.status
  }
  const reader = issuer.mint({ [ROLE]: 'reader' })
  const editor = issuer.mint({ [ROLE]: 'editor' })
  const owner = issuer.mint({ [ROLE]: 'owner' })
  const rows: [call: string, reader: number, editor: number, owner: number][] = [
    ['GET /documents', 200, 200, 200],
    ['GET /documents/7', 200, 200, 200],
    ['POST /documents', 403, 200, 200],
    ['PUT /documents/7', 403, 200, 200],
    ['DELETE /documents/7', 403, 403, 200],
    ['DELETE /documents/7/history', 403, 403, 403],
  ]
  for (const [call, ...expected] of rows) {
    assert.deepEqual([await ask(call, reader), await ask(call, editor), await ask(call, owner)], expected, call)
  }
  assert.ok(upstream.seen.every(({ url }) => !url.includes('history')))

  assert.equal(await ask('GET /documents', null), 401, 'without a token nobody is asked')
  const forged = `${owner.split('.').slice(0, 2).join('.')}.${reader.split('.')[2]}`
  const refused = [
    issuer.mint(),
    issuer.mint({ [ROLE]: 'toString' }),
    issuer.mint({ [ROLE]: ['owner'] }),
    issuer.mint({ [ROLE]: 'owner', aud: 'https://other.example.test' }),
    issuer.mint({ [ROLE]: 'owner', iss: 'https://other.example.test/' }),
    issuer.mint({ [ROLE]: 'owner', exp: 1 }),
    issuer.mint({ [ROLE]: 'owner' }, { alg: 'none' }),
    forged,
    'no-token',
  ]
  for (const token of refused) assert.equal(await ask('GET /documents', token), 403, token)
  assert.equal(upstream.seen.length, 11, 'what was refused was not forwarded')
})
