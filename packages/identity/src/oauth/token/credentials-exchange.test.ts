import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindActions, createWorld, payloadOf } from '../fixture.ts'

let identity: TestIdentity
/** Statements that ask what is bound. */
let lookups = 0
before(async () => {
  identity = await startIdentity({ onStatement: (text) => (lookups += /action_bindings b/.test(text) ? 1 : 0) })
})
after(() => identity.close())

const handler = (body: string) => `exports.onExecuteCredentialsExchange = async (event, api) => {\n${body}\n}`

async function settle(...bodies: string[]) {
  const world = await createWorld(identity)
  const { client_id, client_secret } = await world.client({
    name: 'Nightly import',
    app_type: 'non_interactive',
    client_metadata: { tier: 'gold' },
  })
  await world.make('/client-grants', {
    client_id,
    audience: AUDIENCE,
    scope: ['read:item', 'create:item'],
    organization_usage: 'allow',
    allow_any_organization: true,
  })
  const bind = (...next: string[]) => bindActions(world, 'credentials-exchange', ...next.map(handler))
  await bind(...bodies)
  const credentials = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ask = (more: Record<string, string> = {}, headers: Record<string, string> = {}) =>
    world.env.request('/oauth/token', { form: { ...credentials, ...more }, headers })
  return { world, env: world.env, client_id, client_secret, bind, ask }
}

const claimsOf = (answer: Answer) => {
  assert.equal(answer.status, 200, answer.text)
  return payloadOf(answer.json.access_token)
}

const refused = (answer: Answer, status: number, error: string, error_description: string) =>
  assert.deepEqual([answer.status, answer.json], [status, { error, error_description }])

test('an Action sees who asks for what and would get what, without the secrets of the client', async () => {
  const { world, env, client_id, ask } = await settle(
    `const { secrets, ...seen } = event; api.accessToken.setCustomClaim('https://a.test/seen', seen)`,
  )
  const { request, ...seen } = claimsOf(
    await ask({ scope: 'read:item', reason: 'nightly' }, { 'user-agent': 'curl/8' }),
  )['https://a.test/seen']
  assert.deepEqual(seen, {
    tenant: { id: env.id },
    accessToken: { customClaims: {}, scope: ['read:item'] },
    client: { client_id, name: 'Nightly import', metadata: { tier: 'gold' } },
    resource_server: { identifier: AUDIENCE },
    transaction: { requested_scopes: ['read:item'], target_scopes: ['read:item'] },
  })
  assert.deepEqual(request, {
    ip: '127.0.0.1',
    method: 'POST',
    hostname: new URL(env.origin).hostname,
    user_agent: 'curl/8',
    body: { grant_type: 'client_credentials', client_id, audience: AUDIENCE, scope: 'read:item', reason: 'nightly' },
    geoip: {},
  })

  const organization = await world.organization('acme')
  const named = claimsOf(await ask({ organization }))['https://a.test/seen']
  assert.deepEqual(named.organization, {
    id: organization,
    name: 'acme',
    display_name: 'acme',
    metadata: { tenantId: 't-acme' },
  })
  assert.deepEqual(named.transaction, { requested_scopes: [], target_scopes: ['read:item', 'create:item'] })
})

test('claims of Actions are in the token, a later one wins, and those of the protocol are not theirs to set', async () => {
  const { client_id, ask } = await settle(
    `api.accessToken.setCustomClaim('https://a.test/one', 1).accessToken.setCustomClaim('https://a.test/gone', 'x')
    for (const name of ['sub', 'scope', 'permissions', 'org_id', 'gty', 'https://x.auth0.com/a', 'https://aws.amazon.com/tags'])
      api.accessToken.setCustomClaim(name, 'forged')`,
    `api.accessToken.setCustomClaim('https://a.test/before', event.accessToken.customClaims)
    api.accessToken.setCustomClaim('https://a.test/one', { two: [2] }).accessToken.setCustomClaim('https://a.test/gone', null)`,
  )
  const { iss: _, iat: __, exp: ___, ...claims } = claimsOf(await ask())
  assert.deepEqual(claims, {
    'https://a.test/one': { two: [2] },
    'https://a.test/before': { 'https://a.test/one': 1, 'https://a.test/gone': 'x' },
    sub: `${client_id}@clients`,
    aud: AUDIENCE,
    scope: 'read:item create:item',
    gty: 'client-credentials',
    azp: client_id,
    permissions: ['read:item', 'create:item'],
  })
})

test('a denial is answered in the protocol’s words, ends the chain and is logged with its reason', async () => {
  const { env, client_id, bind, ask } = await settle()
  for (const [code, status] of [
    ['invalid_scope', 400],
    ['invalid_request', 400],
    ['server_error', 500],
  ] as const) {
    await bind(`api.access.deny('${code}', 'Not at night.')`, `throw new Error('must not run')`)
    refused(await ask(), status, code, 'Not at night.')
  }
  await bind(`api.access.deny('invalid_request')`)
  refused(await ask(), 400, 'invalid_request', 'Access denied.')
  const denied = await until(async () => {
    const { json } = await env.manage('GET', `/logs?q=${encodeURIComponent('type:feccft')}`)
    return json.find((entry: { description: string }) => entry.description === 'Not at night.')
  })
  assert.deepEqual(
    [denied.client_id, denied.audience, denied.details.actions.executions.length],
    [client_id, AUDIENCE, 1],
  )
  const ran = await until(async () => {
    const found = await env.manage('GET', `/actions/executions/${denied.details.actions.executions[0]}`)
    return found.status === 200 ? found.json : undefined
  })
  assert.deepEqual([ran.trigger_id, ran.status], ['credentials-exchange', 'final'])
})

test('whatever fails refuses the token and tells only a reference; so does a word that the protocol does not have', async () => {
  const { env, bind, ask } = await settle()
  for (const body of [
    `throw new Error('the password is tulip')`,
    `while (true);`,
    `await new Promise(() => {})`,
    `await new Promise((done) => setTimeout(done, 60_000))`,
    `api.access.deny('access_denied', 'no such code')`,
    `api.accessToken.setCustomClaim('https://a.test/big', 'x'.repeat(100_001))`,
    `api.prompt.render('a')`,
    `api.accessToken.addScope('read:item')`,
    `api.transaction.setTargetScopes('read:item create:item')`,
    `api.transaction.addTargetScope('read:item create:item')`,
  ]) {
    await bind(`api.accessToken.setCustomClaim('https://a.test/one', 1)`, body)
    const answer = await ask()
    assert.deepEqual([answer.status, answer.json.error], [403, 'access_denied'], body)
    const text = /^The request was stopped by an error\. Reference: ([0-9a-f-]{36})$/.exec(
      answer.json.error_description,
    )
    assert.ok(text, answer.text)
    assert.deepEqual(Object.keys(answer.json).sort(), ['error', 'error_description'])
    const failed = await until(async () => {
      const { json } = await env.manage('GET', `/logs?q=${encodeURIComponent('type:actions_execution_failed')}`)
      return json.find((entry: { details: { correlationId: string } }) => entry.details.correlationId === text[1])
    })
    assert.equal(failed.details.trigger, 'credentials-exchange')
  }
})

test('an Action chooses among the scopes that were granted, sees its choice, and gives no other', async () => {
  const { bind, ask } = await settle()
  const tell = `api.accessToken.setCustomClaim('https://a.test/targets', event.transaction.target_scopes)`
  const outcome = async (parameters: Record<string, string>, ...bodies: string[]) => {
    await bind(...bodies)
    const answer = await ask(parameters)
    const claims = claimsOf(answer)
    assert.equal(answer.json.scope, claims.scope)
    assert.deepEqual(claims.permissions, claims.scope?.split(' ') ?? [])
    return [claims.scope, claims['https://a.test/targets']]
  }
  const both = ['read:item', 'create:item']
  assert.deepEqual(await outcome({}, `api.transaction.removeTargetScope('create:item')`, tell), [
    'read:item',
    ['read:item'],
  ])
  assert.deepEqual(await outcome({}, `api.transaction.removeTargetScope('create:item'); ${tell}`), [
    'read:item',
    ['read:item'],
  ])
  assert.deepEqual(await outcome({ scope: 'read:item' }, `api.transaction.addTargetScope('create:item'); ${tell}`), [
    'read:item create:item',
    both,
  ])
  assert.deepEqual(
    await outcome({}, `api.transaction.setTargetScopes(['create:item', 'delete:all', 'create:item'])`, tell),
    ['create:item', ['create:item', 'delete:all']],
  )
  assert.deepEqual(await outcome({}, `api.transaction.clearTargetScopes(); ${tell}`), [undefined, []])
  assert.deepEqual(
    await outcome({}, `api.transaction.clearTargetScopes().transaction.addTargetScope('read:item'); ${tell}`, tell),
    ['read:item', ['read:item']],
  )
  await bind(`api.transaction.addTargetScope('create:item')`)
  const wider = 'Client has not been granted scopes: delete:all'
  refused(await ask({ scope: 'delete:all' }), 403, 'access_denied', wider)
})

test('where nothing is bound it is asked once whether something is, and Actions of other triggers do not run', async () => {
  const { world, ask } = await settle()
  await bindActions(world, 'post-login', `exports.onExecutePostLogin = async () => { throw new Error('no') }`)
  lookups = 0
  for (let round = 0; round < 3; round++) {
    const claims = claimsOf(await ask())
    assert.deepEqual(Object.keys(claims).sort(), [
      'aud',
      'azp',
      'exp',
      'gty',
      'iat',
      'iss',
      'permissions',
      'scope',
      'sub',
    ])
  }
  assert.equal(lookups, 1)
})

test('a draft is tried out and checked for this trigger’s handler, and another environment’s does not run here', async () => {
  const { world, env } = await settle()
  const draft = {
    name: 'limits',
    supported_triggers: [{ id: 'credentials-exchange', version: 'v2' }],
    code: handler(`api.transaction.addTargetScope('read:item').access.deny('invalid_scope', event.client.name)`),
  }
  const action = await world.make('/actions/actions', draft)
  const tried = await env.manage('POST', `/actions/actions/${action.id}/test`, { payload: { client: { name: 'x' } } })
  assert.deepEqual(tried.json.payload, {
    status: 'success',
    commands: [
      { type: 'transaction.addTargetScope', scope: 'read:item' },
      { type: 'access.deny', code: 'invalid_scope', reason: 'x' },
    ],
    logs: [],
    errors: [],
  })
  const code = `exports.onExecutePostLogin = () => {}`
  const wrong = await env.manage('POST', '/actions/actions', { ...draft, name: 'wrong', code, deploy: true })
  assert.equal(wrong.status, 400)
  assert.match(wrong.json.message, /exports no function onExecuteCredentialsExchange/)
  await bindActions(world, 'credentials-exchange', handler(`api.access.deny('invalid_request', 'here alone')`))
  const other = await settle()
  assert.equal((await other.ask()).status, 200)
})

async function until<T>(found: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 3_000; tries++) {
    const value = await found()
    if (value !== undefined) return value
    await sleep(50)
  }
  return assert.fail('it did not happen within two minutes')
}
