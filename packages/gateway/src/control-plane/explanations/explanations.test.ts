import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Explanation } from '../../explain.ts'
import { createSign } from '../../functions/remote/signature.ts'
import { type Bench, startBench } from '../../test-gateway.ts'
import type { AccessKey } from '../access-keys/access-keys.ts'
import { type ControlPlane, startControlPlane } from '../fixture.ts'

describe('the control plane explains requests', () => {
  let bench: Bench
  let plane: ControlPlane
  let bare: ControlPlane
  before(async () => {
    bench = await startBench()
    plane = await startControlPlane({ explain: bench.gateway.explain })
    bare = await startControlPlane()
    const { api } = await bench.load(bench.document)
    const { rows } = await accountOf(plane)
    bench.gateway.replace([{ ...api, accountId: rows }])
  })
  after(async () => {
    await Promise.all([plane?.close(), bare?.close(), bench?.close()])
  })

  const accountOf = async ({ database, environmentId }: ControlPlane): Promise<{ rows: string }> => {
    const [row] = await database.inEnvironment(
      environmentId,
      (tx) => tx<{ id: string }[]>`select id from gateway.accounts where environment_id = ${environmentId}`,
    )
    return { rows: row!.id }
  }
  const ask = async (
    body: object,
    { at = plane, key = at.key }: { at?: ControlPlane; key?: AccessKey | null } = {},
  ): Promise<{ status: number; json: Explanation & { message: string } }> => {
    const text = JSON.stringify(body)
    const request = {
      url: new URL(`${at.url}/tenantry/explain`),
      headers: { 'content-type': 'application/json' },
      body: text,
    }
    const headers =
      key === null ? request.headers : await createSign(key, 'apigateway')(request, 'local', at.clock.now())
    const response = await fetch(`${at.url}/tenantry/explain`, { method: 'POST', headers, body: text })
    return { status: response.status, json: (await response.json()) as Explanation & { message: string } }
  }

  it('of its own APIs, for whoever signs', async () => {
    const token = bench.issuer.mint({ aud: 'https://other.test', scope: 'read:todos' })
    const { status, json } = await ask({ method: 'GET', url: 'http://gateway.test/todos', token })
    assert.deepEqual([status, json.answer], [200, { status: 401, body: '{"message":"Unauthorized"}' }])
    assert.deepEqual(
      json.steps.filter(({ passed }) => passed === false).map(({ check, actual }) => [check, actual]),
      [['aud', 'https://other.test']],
    )
  })

  it('to nobody else: neither unsigned nor to another environment', async () => {
    const question = { method: 'GET', url: 'http://gateway.test/todos', token: bench.issuer.mint() }
    assert.equal((await ask(question, { key: null })).status, 403)
    const { status, json } = await ask(question, { key: await plane.otherKey() })
    assert.deepEqual([status, json.answer?.status], [200, 404])
    assert.doesNotMatch(JSON.stringify(json), /shop|tenants|todos, |scopes|aud/)
  })

  it('and says what it cannot explain', async () => {
    const relative = await ask({ method: 'GET', url: '/todos' })
    assert.equal(relative.status, 400)
    assert.match(relative.json.message, /must be absolute/)
    assert.equal((await ask({ method: 'GET' })).status, 400)
    const elsewhere = await ask({ method: 'GET', url: 'http://gateway.test/' }, { at: bare })
    assert.deepEqual([elsewhere.status, /no gateway runs in this process/.test(elsewhere.json.message)], [501, true])
  })
})
