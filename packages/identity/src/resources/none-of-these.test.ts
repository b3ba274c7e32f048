import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
let env: TestEnvironment
before(async () => {
  identity = await startIdentity()
  env = await identity.environment()
})
after(() => identity.close())

/** Path, the list's name, whether it is ever a bare array, and the scope that reads it. */
const LISTS = [
  ['/actions/modules', 'modules', 'envelope', 'read:actions'],
  ['/branding/phone/templates', 'templates', 'envelope', 'read:phone_templates'],
  ['/connection-profiles', 'connection_profiles', 'envelope', 'read:connection_profiles'],
  ['/connections-directory-provisionings', 'directory_provisionings', 'envelope', 'read:directory_provisionings'],
  ['/event-streams', 'eventStreams', 'envelope', 'read:event_streams'],
  ['/flows', 'flows', 'page', 'read:flows'],
  ['/flows/vault/connections', 'connections', 'page', 'read:flows_vault_connections'],
  ['/forms', 'forms', 'page', 'read:forms'],
  ['/network-acls', 'network_acls', 'page', 'read:network_acls'],
  ['/prompts/rendering', 'configs', 'page', 'read:prompts'],
  ['/rate-limit-policies', 'rate_limit_policies', 'envelope', 'read:rate_limit_policies'],
  ['/self-service-profiles', 'self_service_profiles', 'page', 'read:self_service_profiles'],
  ['/token-exchange-profiles', 'token_exchange_profiles', 'envelope', 'read:token_exchange_profiles'],
  ['/user-attribute-profiles', 'user_attribute_profiles', 'envelope', 'read:user_attribute_profiles'],
] as const

test('of a kind that is not here there are none, in each way of paging, for whoever may read it', async () => {
  for (const [path, list, shape, scope] of LISTS) {
    const read = async (query: string) => {
      const answer = await env.manage('GET', `${path}${query}`, undefined, [scope])
      assert.equal(answer.status, 200, `${path}${query}: ${answer.text}`)
      return answer.json
    }
    assert.deepEqual(await read(''), shape === 'page' ? [] : { [list]: [] }, path)
    const totals = await read('?page=0&per_page=100&include_totals=true&filter=any')
    assert.deepEqual([totals[list], totals.total], [[], 0], path)
    if (shape === 'envelope') assert.deepEqual(await read('?take=50'), { [list]: [] }, path)
    assert.equal((await env.manage('GET', path, undefined, ['read:users'])).status, 403, path)
  }
})

test('making one of a kind that is not here answers 501 and names the kind; one by its id is not found', async () => {
  const readOnly = ['/connections-directory-provisionings', '/prompts/rendering']
  for (const [path] of LISTS) {
    const made = await env.manage('POST', path, { name: 'One' })
    if (readOnly.includes(path)) assert.equal(made.status, 404, path)
    else {
      assert.deepEqual([made.status, made.json.errorCode], [501, 'operation_not_supported'], path)
      assert.match(made.json.message, /^[A-Z][\w -]+ are not supported yet\.$/, path)
    }
    assert.equal((await env.manage('GET', `${path}/some_id`)).status, 404, path)
  }
})

test('rules and hooks are refused as Auth0 refuses them where they were never switched on', async () => {
  for (const [path, name, scope] of [
    ['/rules', 'rules', 'read:rules'],
    ['/rules-configs', 'rules', 'read:rules_configs'],
    ['/hooks', 'hooks', 'read:hooks'],
  ]) {
    const answer = await env.manage('GET', `${path}?page=0&per_page=100`, undefined, [scope!])
    assert.deepEqual(
      [answer.status, answer.json],
      [
        403,
        {
          statusCode: 403,
          error: 'Forbidden',
          message: `Insufficient privileges to use this deprecated feature. Actions do what ${name} did.`,
          errorCode: 'deprecated_feature',
        },
      ],
    )
  }
})

test('a protection that is not here reads as off, may be set so, and is refused on', async () => {
  for (const [path, off, on] of [
    ['/risk-assessments/settings', { enabled: false }, { enabled: true }],
    ['/risk-assessments/settings/new-device', { remember_for: 0 }, { remember_for: 30 }],
    ['/supplemental-signals', { akamai_enabled: false }, { akamai_enabled: true }],
  ] as const) {
    const write = (body: object) => env.manage('PATCH', path, body, ['update:attack_protection'])
    assert.deepEqual((await env.manage('GET', path, undefined, ['read:attack_protection'])).json, off)
    assert.deepEqual((await write(off)).json, off)
    const refused = await write(on)
    assert.deepEqual([refused.status, refused.json.errorCode], [501, 'operation_not_supported'])
    assert.match(refused.json.message, new RegExp(`'${Object.keys(on)[0]}'`))
    assert.equal((await write({ ...off, more: true })).status, 400)
    assert.equal((await env.manage('PATCH', path, off, ['read:attack_protection'])).status, 403)
  }
})

test('what is not supported asks clients that repeat every failure not to wait for the rate', async () => {
  const refused = await env.manage('POST', '/forms', { name: 'One' })
  assert.deepEqual([refused.status, refused.headers['retry-after']], [501, '1'])
  const rate = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']
  assert.deepEqual(
    rate.map((name) => name in refused.headers),
    [false, false, false],
  )
  const served = await env.manage('GET', '/forms')
  assert.deepEqual(
    rate.map((name) => name in served.headers),
    [true, true, true],
  )
})
