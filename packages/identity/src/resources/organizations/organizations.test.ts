import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const create = async (env: TestEnvironment, body: object): Promise<string> => {
  const answer = await env.manage('POST', '/organizations', body)
  assert.equal(answer.status, 201, answer.text)
  return answer.json.id
}

test('a list in any order goes on exactly where it stopped, with equal values too', async () => {
  const env = await identity.environment()
  for (const [index, display_name] of ['Blue', 'Amber', 'Blue', 'Blue', 'Cyan', 'Ämber'].entries()) {
    await create(env, { name: `org-${index}`, display_name })
  }
  const all = async (query: string) => {
    const seen: { id: string; name: string; display_name: string }[] = []
    let next = ''
    do {
      const answer = await env.manage('GET', `/organizations?take=2${query}${next && `&from=${next}`}`)
      assert.equal(answer.status, 200, answer.text)
      assert.ok(answer.json.organizations.length <= 2)
      seen.push(...answer.json.organizations)
      next = answer.json.next ?? ''
    } while (next)
    return seen
  }
  for (const sort of ['name:1', 'name:-1', 'display_name:1', 'display_name:-1', 'created_at:1', 'created_at:-1']) {
    const paged = await all(`&sort=${sort}`)
    const whole = (await env.manage('GET', `/organizations?sort=${sort}`)).json
    assert.deepEqual(paged, whole, sort)
    assert.equal(new Set(paged.map(({ id }) => id)).size, 6, sort)
  }
  const byId = (await all('')).map(({ id }) => id)
  assert.deepEqual(byId, byId.toSorted())
})

test('N135 a checkpoint of another order, another list, or made by hand is refused', async () => {
  const env = await identity.environment()
  for (let index = 0; index < 3; index++) await create(env, { name: `org-${index}` })
  const { next } = (await env.manage('GET', '/organizations?take=1&sort=name:1')).json
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const made = [
    next,
    encode(['created_at:1', '2001-01-01', 'org_x']),
    encode(['created_at:1', "2001-01-01 00:00:00+00'; drop table organizations", 'org_x']),
    encode(['created_at:1', '2001-13-41 00:00:00+00', 'org_x']),
    encode(['created_at:1', 7, 'org_x']),
    encode(['created_at:1', '2001-01-01 00:00:00+00']),
    encode({ value: 'x' }),
    Buffer.from('org_x').toString('base64url'),
    'not base64 at all!',
  ]
  for (const from of made) {
    const answer = await env.manage('GET', `/organizations?take=1&sort=created_at:1&from=${encodeURIComponent(from)}`)
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_paging'], from)
  }
  const honest = encode(['created_at:1', '2001-01-01 00:00:00.123456+00', 'org_x'])
  const answer = await env.manage('GET', `/organizations?take=5&sort=created_at:1&from=${honest}`)
  assert.equal(answer.json.organizations.length, 3)
})

test('settings without effect are tolerated where they change nothing, and refused by name elsewhere', async () => {
  const env = await identity.environment()
  const id = await create(env, { name: 'acme', token_quota: null, third_party_client_access: 'block' })
  for (const [setting, body] of [
    ['token_quota', { token_quota: { client_credentials: { per_day: 5 } } }],
    ['third_party_client_access', { third_party_client_access: 'allow' }],
  ] as const) {
    for (const answer of [
      await env.manage('PATCH', `/organizations/${id}`, body),
      await env.manage('POST', '/organizations', { name: 'other', ...body }),
    ]) {
      assert.deepEqual([answer.status, answer.json.errorCode], [501, 'operation_not_supported'])
      assert.match(answer.json.message, new RegExp(`'${setting}'`))
    }
  }
  assert.deepEqual((await env.manage('GET', `/organizations/${id}`)).json, {
    id,
    name: 'acme',
    display_name: 'acme',
    metadata: {},
  })
})

test('a list says beside each organization whether its members may use the client that was asked about', async () => {
  const env = await identity.environment()
  const { client_id } = (await env.manage('POST', '/clients', { name: 'App', app_type: 'spa' })).json
  const [one, two, three] = [
    await create(env, { name: 'one' }),
    await create(env, { name: 'two' }),
    await create(env, { name: 'three' }),
  ]
  for (const [id, use_for_member_access] of [
    [one, true],
    [two, false],
  ] as const) {
    const clients = [{ client_id, use_for_member_access }]
    assert.equal((await env.manage('POST', `/organizations/${id}/clients`, { clients })).status, 201)
  }
  const listed = (await env.manage('GET', `/organizations?include_client_association_for=${client_id}`)).json
  const said = Object.fromEntries(listed.map((row: { id: string; client?: object }) => [row.id, row.client]))
  assert.deepEqual(said, {
    [one]: { use_for_member_access: true },
    [two]: { use_for_member_access: false },
    [three]: undefined,
  })
})
