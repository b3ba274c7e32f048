import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { randomText } from '@tenantry/kernel/id.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'

const records = new Map<string, string[][]>()
let identity: TestIdentity
before(async () => {
  identity = await startIdentity({
    resolveTxt: async (name) => {
      const found = records.get(name)
      if (!found) throw Object.assign(new Error(`queryTxt ENOTFOUND ${name}`), { code: 'ENOTFOUND' })
      return found
    },
  })
})
after(() => identity.close())

const fresh = () => `login-${randomText(8).toLowerCase()}.example.test`
const claim = async (env: TestEnvironment, domain: string, more: object = {}) => {
  const answer = await env.manage('POST', '/custom-domains', { domain, type: 'self_managed_certs', ...more })
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}
// biome-ignore lint/suspicious/noExplicitAny: an answer of the API
const publish = (claimed: any, pieces?: string[]) => {
  const [method] = claimed.verification.methods
  records.set(method.domain, [['v=spf1 -all'], pieces ?? [method.record]])
}
const verify = (env: TestEnvironment, id: string) => env.manage('POST', `/custom-domains/${id}/verify`)
const ready = async (env: TestEnvironment, domain: string, more: object = {}) => {
  const claimed = await claim(env, domain, more)
  publish(claimed)
  const answer = await verify(env, claimed.custom_domain_id)
  assert.equal(answer.json.status, 'ready', answer.text)
  return answer.json
}

test('a claimed domain is no address of anybody until its owner has published the proof', async () => {
  const env = await identity.environment()
  const domain = fresh()
  const claimed = await claim(env, domain.toUpperCase(), { domain_metadata: { brand: 'blue' } })
  assert.match(claimed.custom_domain_id, /^cd_[A-Za-z0-9]{16}$/)
  const [method] = claimed.verification.methods
  assert.deepEqual(claimed, {
    custom_domain_id: claimed.custom_domain_id,
    domain,
    primary: false,
    is_default: false,
    status: 'pending_verification',
    type: 'self_managed_certs',
    verification: { methods: [{ name: 'txt', record: method.record, domain: `_tenantry-challenge.${domain}` }] },
    tls_policy: 'recommended',
    domain_metadata: { brand: 'blue' },
  })
  const at = `/custom-domains/${claimed.custom_domain_id}`
  const discovery = () => identity.ask(domain, '/.well-known/openid-configuration')
  assert.equal((await discovery()).status, 404)
  assert.deepEqual((await verify(env, claimed.custom_domain_id)).json, claimed)
  publish(claimed, ['something else'])
  assert.equal((await verify(env, claimed.custom_domain_id)).json.status, 'pending_verification')
  assert.deepEqual((await env.manage('POST', `${at}/test`)).json, {
    success: false,
    message: 'The domain is not verified.',
  })
  assert.equal((await discovery()).status, 404)

  const { record } = method
  publish(claimed, [record.slice(0, 20), record.slice(20)])
  const verified = await verify(env, claimed.custom_domain_id)
  assert.deepEqual([verified.status, verified.json], [200, { ...claimed, status: 'ready' }])
  assert.deepEqual((await verify(env, claimed.custom_domain_id)).json, verified.json)
  assert.deepEqual((await env.manage('GET', at)).json, verified.json)
  assert.deepEqual((await env.manage('POST', `${at}/test`)).json, { success: true })
  assert.equal((await discovery()).json.issuer, `https://${domain}/`)
  records.clear()
  assert.equal((await env.manage('POST', `${at}/test`)).json.success, false)
})

test('tokens made at a verified domain carry it as issuer, and the Management API answers under it', async () => {
  const env = await identity.environment()
  const { domain } = await ready(env, fresh())
  const [api] = (await env.manage('GET', '/resource-servers')).json
  const { client_id, client_secret } = (
    await env.manage('POST', '/clients', { name: 'Tool', app_type: 'non_interactive' })
  ).json
  await env.manage('POST', '/client-grants', { client_id, audience: api.identifier, scope: ['read:custom_domains'] })
  const audience = `https://${domain}/api/v2/`
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience }
  const answer = await identity.ask(domain, '/oauth/token', { form })
  assert.equal(answer.status, 200, answer.text)
  const { iss, aud } = JSON.parse(Buffer.from(answer.json.access_token.split('.')[1], 'base64url').toString())
  assert.deepEqual([iss, aud], [`https://${domain}/`, audience])
  const headers = { authorization: `Bearer ${answer.json.access_token}` }
  assert.equal((await identity.ask(domain, '/api/v2/custom-domains', { headers })).json.length, 1)
  assert.equal((await env.request('/api/v2/custom-domains', { headers })).status, 200)

  const [{ custom_domain_id }] = (await env.manage('GET', '/custom-domains')).json
  assert.equal((await env.manage('DELETE', `/custom-domains/${custom_domain_id}`)).status, 204)
  assert.equal((await identity.ask(domain, '/api/v2/custom-domains', { headers })).status, 404)
  assert.equal((await env.request('/api/v2/custom-domains', { headers })).status, 401)
  assert.equal((await env.manage('DELETE', `/custom-domains/${custom_domain_id}`)).status, 404)
})

test('N121 claims of several environments stand side by side; one proof wins, and a freed domain needs a fresh one', async () => {
  const [one, two] = [await identity.environment(), await identity.environment()]
  const domain = fresh()
  const [first, second] = [await claim(one, domain), await claim(two, domain)]
  assert.notEqual(first.verification.methods[0].record, second.verification.methods[0].record)
  publish(first)
  assert.equal((await verify(two, second.custom_domain_id)).json.status, 'pending_verification')
  const both = [first, second].map((claimed) => claimed.verification.methods[0].record)
  records.set(
    `_tenantry-challenge.${domain}`,
    both.map((record) => [record]),
  )
  const answers = await Promise.all([verify(one, first.custom_domain_id), verify(two, second.custom_domain_id)])
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409])
  const [winner, loser] = answers[0]!.status === 200 ? [one, two] : [two, one]
  const lost = answers.find((answer) => answer.status === 409)!
  assert.equal(lost.json.errorCode, 'custom_domain_conflict')
  const issuerAt = async () => (await identity.ask(domain, '/.well-known/openid-configuration')).json.issuer
  assert.equal(await issuerAt(), `https://${domain}/`)
  const keysOf = async (env: TestEnvironment) => (await env.request('/.well-known/jwks.json')).json
  const keysAt = async () => (await identity.ask(domain, '/.well-known/jwks.json')).json
  assert.deepEqual(await keysAt(), await keysOf(winner))

  const [mine] = (await winner.manage('GET', '/custom-domains')).json
  assert.equal((await winner.manage('DELETE', `/custom-domains/${mine.custom_domain_id}`)).status, 204)
  assert.equal((await identity.ask(domain, '/.well-known/jwks.json')).status, 404)
  const [theirs] = (await loser.manage('GET', '/custom-domains')).json
  assert.equal((await verify(loser, theirs.custom_domain_id)).json.status, 'ready')
  assert.deepEqual(await keysAt(), await keysOf(loser))
  const again = await claim(winner, domain)
  assert.notEqual(again.verification.methods[0].record, mine.verification.methods[0].record)
  assert.equal((await verify(winner, again.custom_domain_id)).json.status, 'pending_verification')
})

test('the default domain is a verified one or the one that was there before, and goes when it is deleted', async () => {
  const env = await identity.environment()
  const canonical = { domain: new URL(env.origin).hostname }
  const asDefault = (domain: string) => env.manage('PATCH', '/custom-domains/default', { domain })
  assert.deepEqual((await env.manage('GET', '/custom-domains/default')).json, canonical)
  const pending = await claim(env, fresh())
  assert.deepEqual((await asDefault(pending.domain)).json.errorCode, 'custom_domain_not_ready')
  assert.equal((await asDefault('nobody.example.test')).status, 404)
  const one = await ready(env, fresh())
  const two = await ready(env, fresh())
  assert.equal((await asDefault(one.domain)).status, 200)
  const chosen = await asDefault(two.domain)
  assert.deepEqual(chosen.json, { ...two, primary: true, is_default: true })
  assert.deepEqual((await env.manage('GET', '/custom-domains/default')).json, chosen.json)
  const stranger = await identity.environment()
  const foreign = await stranger.manage('PATCH', '/custom-domains/default', { domain: two.domain })
  assert.deepEqual([foreign.status, foreign.json.errorCode], [404, 'inexistent_custom_domain'])
  assert.deepEqual((await asDefault(canonical.domain)).json, canonical)
  await asDefault(two.domain)
  await env.manage('DELETE', `/custom-domains/${two.custom_domain_id}`)
  assert.deepEqual((await env.manage('GET', '/custom-domains/default')).json, canonical)
})

test('what is no domain in its one spelling, a second claim, and settings without effect are refused', async () => {
  const env = await identity.environment()
  const refused = async (body: object, status: number, code: string) => {
    const answer = await env.manage('POST', '/custom-domains', { type: 'self_managed_certs', ...body })
    assert.deepEqual([answer.status, answer.json.errorCode], [status, code], JSON.stringify(body))
  }
  const odd = ['localhost', 'example.test.', '.example.test', 'a..test', '10.0.0.1', '[::1]', 'a_b.test', '*.a.test']
  const odder = ['https://a.test', 'a.test:443', 'a.test/x', 'a b.test', 'ä.test', 'xn--a.test', '-a.test', 'a.7']
  for (const domain of [...odd, ...odder, `${'a'.repeat(64)}.test`]) await refused({ domain }, 400, 'invalid_body')
  const domain = fresh()
  await claim(env, domain)
  await refused({ domain }, 409, 'custom_domain_conflict')
  const other = fresh()
  await refused({ domain: other, type: 'auth0_managed_certs' }, 501, 'operation_not_supported')
  await refused({ domain: other, custom_client_ip_header: 'cf-connecting-ip' }, 501, 'operation_not_supported')
  await refused({ domain: other, relying_party_identifier: 'example.test' }, 501, 'operation_not_supported')
  await refused({ domain: other, tls_policy: 'compatible' }, 501, 'operation_not_supported')
  const inert = { verification_method: 'txt', custom_client_ip_header: null, tls_policy: 'recommended' }
  await claim(env, other, inert)
})

test('a domain at which an API already has the name of the Management API cannot be taken', async () => {
  const env = await identity.environment()
  const claimed = await claim(env, fresh())
  await env.manage('POST', '/resource-servers', { identifier: `https://${claimed.domain}/api/v2/` })
  publish(claimed)
  const answer = await verify(env, claimed.custom_domain_id)
  assert.deepEqual([answer.status, answer.json.errorCode], [409, 'custom_domain_identifies_api'])
  assert.equal((await identity.ask(claimed.domain, '/.well-known/jwks.json')).status, 404)
})

test('metadata is merged; lists are by domain, by fields and by one condition', async () => {
  const env = await identity.environment()
  const tail = randomText(6).toLowerCase()
  const one = await claim(env, `a-${tail}.example.test`, { domain_metadata: { brand: 'blue', tier: '1' } })
  const two = await claim(env, `b-${tail}.example.test`)
  const at = `/custom-domains/${one.custom_domain_id}`
  const changed = await env.manage('PATCH', at, { domain_metadata: { tier: null, region: 'eu' } })
  assert.deepEqual(changed.json.domain_metadata, { brand: 'blue', region: 'eu' })
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, 'v']))
  assert.equal((await env.manage('PATCH', at, { domain_metadata: many })).status, 400)
  const names = async (query: string) => {
    const answer = await env.manage('GET', `/custom-domains?fields=domain&${query}`)
    assert.equal(answer.status, 200, answer.text)
    return answer.json.map((row: { domain: string }) => row.domain)
  }
  assert.deepEqual(await names('sort=domain:1'), [one.domain, two.domain])
  assert.deepEqual(await names('q=domain:b-*'), [two.domain])
  assert.deepEqual(await names(`q=domain:%22${one.domain}%22`), [one.domain])
  assert.deepEqual(await names('q=domain_metadata.brand:blue'), [one.domain])
  assert.deepEqual(await names('q=domain_metadata.constructor:x*'), [])
  assert.deepEqual(await names('q=status:ready'), [])
  assert.equal((await env.manage('GET', '/custom-domains?q=record:x')).status, 400)
  assert.equal((await env.manage('GET', '/custom-domains?sort=domain:-1')).status, 400)
})

test('an id of another environment is no domain here', async () => {
  const env = await identity.environment()
  const { custom_domain_id, domain } = await ready(env, fresh())
  const stranger = await identity.environment()
  const at = `/custom-domains/${custom_domain_id}`
  for (const [method, path, body] of [
    ['GET', at],
    ['PATCH', at, { domain_metadata: { a: 'b' } }],
    ['DELETE', at],
    ['POST', `${at}/verify`],
    ['POST', `${at}/test`],
  ] as const) {
    const answer = await stranger.manage(method, path, body)
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_custom_domain'], `${method} ${path}`)
  }
  assert.equal((await identity.ask(domain, '/.well-known/jwks.json')).status, 200)
})
