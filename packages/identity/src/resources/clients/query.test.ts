/** Lists of clients. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { create } from './test-clients.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('clients are listed bare, in pages, with totals, by type and by fields', async () => {
  const env = await identity.environment()
  const one = await create(env, { name: 'One', app_type: 'spa' })
  await create(env, { name: 'Two', app_type: 'non_interactive' })
  const totals = (await env.manage('GET', '/clients?is_global=false&include_totals=true&per_page=1&page=1&fields=name'))
    .json
  assert.deepEqual(totals, { start: 1, limit: 1, length: 1, total: 2, clients: [{ name: 'Two' }] })
  const typed = (await env.manage('GET', '/clients?app_type=spa,native')).json
  assert.deepEqual(typed, [one])
  const fewer = await env.manage('GET', `/clients/${one.client_id}?fields=client_secret,tenant&include_fields=false`)
  assert.equal('client_secret' in fewer.json || 'tenant' in fewer.json, false)
  assert.equal(fewer.json.name, 'One')
  assert.deepEqual((await env.manage('GET', '/clients?is_first_party=false')).json, [])
})

test('clients are found by the organization of their grants, by checkpoint and alone', async () => {
  const env = await identity.environment()
  const { client_id } = await create(env, { app_type: 'non_interactive' })
  const other = await create(env, { app_type: 'non_interactive' })
  const identifier = 'https://api.example.test'
  await env.manage('POST', '/resource-servers', { identifier })
  const grant = async (id: string, more: object) =>
    (
      await env.manage('POST', '/client-grants', {
        client_id: id,
        audience: identifier,
        organization_usage: 'allow',
        ...more,
      })
    ).json.id
  const { id } = (await env.manage('POST', '/organizations', { name: 'acme' })).json
  await env.manage('POST', `/organizations/${id}/client-grants`, { grant_id: await grant(client_id, {}) })
  await grant(other.client_id, { allow_any_organization: true })
  const ids = async (query: string) => {
    const answer = await env.manage('GET', `/clients?${query}`)
    assert.equal(answer.status, 200, answer.text)
    return (answer.json.clients ?? answer.json).map((client: { client_id: string }) => client.client_id)
  }
  assert.deepEqual(await ids(`take=10&q=client_grant.organization_id:${id}`), [client_id])
  assert.deepEqual(await ids('take=10&q=client_grant.allow_any_organization:true'), [other.client_id])
  assert.deepEqual(await ids('external_client_id=https://app.example.test/client.json'), [])
  const paged: string[] = []
  for (let next: string | undefined = ''; next !== undefined; ) {
    const { json } = await env.manage('GET', `/clients?take=1${next && `&from=${next}`}`)
    paged.push(...json.clients.map((client: { client_id: string }) => client.client_id))
    next = json.next
  }
  assert.deepEqual(paged, (await ids('')).toSorted())
  for (const query of [
    `q=client_grant.organization_id:${id}`,
    'take=10&q=name:x',
    'take=10&app_type=spa&q=client_grant.allow_any_organization:true',
    'take=10&q=client_grant.allow_any_organization:false',
  ]) {
    const answer = await env.manage('GET', `/clients?${query}`)
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_query_string'], query)
  }
})
