import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { THEME } from './branding/themes/fixture.ts'
import { createNouns, type Nouns, PASSWORD, permission } from './fixture.ts'
import { managementScopes } from './management-scopes.ts'

let identity: TestIdentity
let env: TestEnvironment
let nouns: Nouns

before(async () => {
  identity = await startIdentity()
  env = await identity.environment()
  nouns = await createNouns(env)
})
after(() => identity.close())

/** Method, path, the scopes of which any suffices, and a body that would be accepted. */
const operations = ({ connection, client, machine, api, grant, organization, role, user }: Nouns) => {
  const userId = encodeURIComponent(user.user_id)
  const permissions = { permissions: [permission('read:items')] }
  return [
    ['GET', '/users', ['read:users']],
    ['POST', '/users', ['create:users'], { connection: 'people', email: 'new@example.test', password: PASSWORD }],
    ['GET', `/users/${userId}`, ['read:users']],
    ['PATCH', `/users/${userId}`, ['update:users', 'update:users_app_metadata'], { nickname: 'new' }],
    ['DELETE', `/users/${userId}`, ['delete:users']],
    ['GET', '/users-by-email?email=anna@example.test', ['read:users']],
    ['GET', `/users/${userId}/roles`, ['read:users', 'read:role_members']],
    ['POST', `/users/${userId}/roles`, ['update:users', 'create:role_members'], { roles: [role.id] }],
    ['DELETE', `/users/${userId}/roles`, ['update:users', 'delete:role_members'], { roles: [role.id] }],
    ['GET', `/users/${userId}/permissions`, ['read:users']],
    ['POST', `/users/${userId}/permissions`, ['update:users'], permissions],
    ['DELETE', `/users/${userId}/permissions`, ['update:users'], permissions],
    ['GET', `/users/${userId}/organizations`, ['read:organizations']],
    ['GET', `/users/${userId}/authentication-methods`, ['read:authentication_methods']],
    ['GET', `/users/${userId}/enrollments`, ['read:users']],
    [
      'POST',
      `/users/${userId}/authentication-methods`,
      ['create:authentication_methods'],
      { type: 'email', email: 'anna@example.test' },
    ],
    ['PUT', `/users/${userId}/authentication-methods`, ['update:authentication_methods'], []],
    ['DELETE', `/users/${userId}/authentication-methods`, ['delete:authentication_methods']],
    ['GET', `/users/${userId}/authentication-methods/none`, ['read:authentication_methods']],
    ['PATCH', `/users/${userId}/authentication-methods/none`, ['update:authentication_methods'], { name: 'New' }],
    ['DELETE', `/users/${userId}/authentication-methods/none`, ['delete:authentication_methods']],
    ['DELETE', `/users/${userId}/authenticators`, ['delete:users']],
    ['DELETE', `/users/${userId}/multifactor/duo`, ['update:users']],
    ['POST', `/users/${userId}/recovery-code-regeneration`, ['update:users']],
    ['POST', `/users/${userId}/multifactor/actions/invalidate-remember-browser`, ['update:users']],
    ['POST', '/guardian/enrollments/ticket', ['create:guardian_enrollment_tickets'], { user_id: 'auth0|nobody' }],
    ['GET', '/guardian/enrollments/none', ['read:guardian_enrollments']],
    ['DELETE', '/guardian/enrollments/none', ['delete:guardian_enrollments']],
    ['GET', '/guardian/factors', ['read:guardian_factors']],
    ['PUT', '/guardian/factors/otp', ['update:guardian_factors'], { enabled: false }],
    ['GET', '/guardian/policies', ['read:mfa_policies']],
    ['PUT', '/guardian/policies', ['update:mfa_policies'], []],
    ['POST', `/users/${userId}/identities`, ['update:users'], { link_with: 'a token' }],
    ['DELETE', `/users/${userId}/identities/auth0/another`, ['update:users']],
    ['GET', '/roles', ['read:roles']],
    ['POST', '/roles', ['create:roles'], { name: 'New' }],
    ['GET', `/roles/${role.id}`, ['read:roles']],
    ['PATCH', `/roles/${role.id}`, ['update:roles'], { name: 'New' }],
    ['DELETE', `/roles/${role.id}`, ['delete:roles']],
    ['GET', `/roles/${role.id}/permissions`, ['read:roles']],
    ['POST', `/roles/${role.id}/permissions`, ['update:roles'], permissions],
    ['DELETE', `/roles/${role.id}/permissions`, ['update:roles'], permissions],
    ['GET', `/roles/${role.id}/users`, ['read:users', 'read:role_members']],
    ['POST', `/roles/${role.id}/users`, ['create:role_members', 'update:roles'], { users: [user.user_id] }],
    ['GET', '/resource-servers', ['read:resource_servers']],
    ['POST', '/resource-servers', ['create:resource_servers'], { identifier: 'urn:new' }],
    ['GET', `/resource-servers/${api.id}`, ['read:resource_servers']],
    ['PATCH', `/resource-servers/${api.id}`, ['update:resource_servers'], { name: 'New' }],
    ['DELETE', `/resource-servers/${api.id}`, ['delete:resource_servers']],
    ['GET', '/clients', ['read:clients', 'read:client_keys']],
    ['POST', '/clients', ['create:clients'], { name: 'New' }],
    ['GET', `/clients/${client.client_id}`, ['read:clients', 'read:client_keys']],
    ['PATCH', `/clients/${client.client_id}`, ['update:clients'], { name: 'New' }],
    ['DELETE', `/clients/${client.client_id}`, ['delete:clients']],
    ['POST', `/clients/${machine.client_id}/rotate-secret`, ['update:client_keys']],
    ['GET', `/clients/${client.client_id}/connections`, ['read:connections']],
    ['GET', '/client-grants', ['read:client_grants']],
    ['POST', '/client-grants', ['create:client_grants'], { client_id: client.client_id, audience: api.identifier }],
    ['GET', `/client-grants/${grant.id}`, ['read:client_grants']],
    ['PATCH', `/client-grants/${grant.id}`, ['update:client_grants'], { scope: [] }],
    ['DELETE', `/client-grants/${grant.id}`, ['delete:client_grants']],
    ['GET', `/client-grants/${grant.id}/organizations`, ['read:organization_client_grants']],
    ['GET', '/jobs/job_none', ['create:users', 'read:users']],
    ['GET', '/jobs/job_none/errors', ['create:users', 'read:users']],
    ['POST', '/jobs/users-imports', ['create:users']],
    ['POST', '/jobs/users-exports', ['read:users'], { format: 'json' }],
    ['GET', '/connections', ['read:connections']],
    ['POST', '/connections', ['create:connections'], { name: 'new', strategy: 'auth0' }],
    ['GET', `/connections/${connection.id}`, ['read:connections']],
    ['PATCH', `/connections/${connection.id}`, ['update:connections'], { display_name: 'New' }],
    ['DELETE', `/connections/${connection.id}`, ['delete:connections']],
    ['GET', `/connections/${connection.id}/clients`, ['read:connections']],
    [
      'PATCH',
      `/connections/${connection.id}/clients`,
      ['update:connections'],
      [{ client_id: client.client_id, status: false }],
    ],
    ['DELETE', `/connections/${connection.id}/users?email=anna@example.test`, ['delete:users']],
    ['GET', `/connections/${connection.id}/status`, ['read:connections']],
    ['GET', `/clients/${client.client_id}/credentials`, ['read:client_credentials']],
    [
      'POST',
      `/clients/${client.client_id}/credentials`,
      ['create:client_credentials'],
      { credential_type: 'public_key', pem: 'x' },
    ],
    ['GET', '/custom-domains', ['read:custom_domains']],
    [
      'POST',
      '/custom-domains',
      ['create:custom_domains'],
      { domain: 'login.acme.example', type: 'self_managed_certs' },
    ],
    ['PATCH', '/custom-domains/default', ['update:custom_domains'], { domain: 'login.acme.example' }],
    ['GET', `/organizations/${organization.id}/clients`, ['read:organization_clients']],
    [
      'POST',
      `/organizations/${organization.id}/clients`,
      ['create:organization_clients'],
      { clients: [{ client_id: client.client_id, use_for_member_access: true }] },
    ],
    [
      'DELETE',
      `/organizations/${organization.id}/clients`,
      ['delete:organization_clients'],
      { clients: [client.client_id] },
    ],
    ['GET', `/organizations/${organization.id}/connections`, ['read:organization_connections']],
    [
      'POST',
      `/organizations/${organization.id}/connections`,
      ['create:organization_connections'],
      { connection_id: connection.id },
    ],
    ['GET', `/organizations/${organization.id}/discovery-domains`, ['read:organization_discovery_domains']],
    [
      'POST',
      `/organizations/${organization.id}/discovery-domains`,
      ['create:organization_discovery_domains'],
      { domain: 'acme.example' },
    ],
    ['GET', `/organizations/${organization.id}/client-grants`, ['read:organization_client_grants']],
    [
      'POST',
      `/organizations/${organization.id}/client-grants`,
      ['create:organization_client_grants'],
      { grant_id: grant.id },
    ],
    ['DELETE', `/organizations/${organization.id}/client-grants/${grant.id}`, ['delete:organization_client_grants']],
    ['POST', '/tickets/email-verification', ['create:user_tickets'], { user_id: user.user_id }],
    ['POST', '/tickets/password-change', ['create:user_tickets'], { user_id: user.user_id }],
    ['POST', '/jobs/verification-email', ['update:users', 'create:users'], { user_id: user.user_id }],
    ['POST', '/email-templates', ['create:email_templates'], { template: 'verify_email', body: 'x' }],
    ['GET', '/email-templates/verify_email', ['read:email_templates']],
    ['PUT', '/email-templates/verify_email', ['update:email_templates'], { template: 'verify_email', body: 'x' }],
    ['PATCH', '/email-templates/verify_email', ['update:email_templates'], { body: 'x' }],
    ['GET', '/emails/provider', ['read:email_provider']],
    [
      'POST',
      '/emails/provider',
      ['create:email_provider'],
      { name: 'smtp', credentials: { smtp_host: 'smtp.example.test', smtp_port: 587 } },
    ],
    ['PATCH', '/emails/provider', ['update:email_provider'], { default_from_address: 'a@example.test' }],
    ['DELETE', '/emails/provider', ['delete:email_provider']],
    ['GET', '/branding', ['read:branding']],
    ['PATCH', '/branding', ['update:branding'], { logo_url: 'https://cdn.example.test/logo.svg' }],
    ['GET', '/branding/templates/universal-login', ['read:branding']],
    ['PUT', '/branding/templates/universal-login', ['update:branding'], { template: 'x' }],
    ['DELETE', '/branding/templates/universal-login', ['delete:branding']],
    ['POST', '/branding/themes', ['update:branding'], THEME],
    ['GET', '/branding/themes/default', ['read:branding']],
    ['GET', '/branding/themes/unknown', ['read:branding']],
    ['PATCH', '/branding/themes/unknown', ['update:branding'], THEME],
    ['DELETE', '/branding/themes/unknown', ['delete:branding']],
    ['GET', '/prompts', ['read:prompts']],
    ['PATCH', '/prompts', ['update:prompts'], { universal_login_experience: 'new' }],
    ['GET', '/prompts/login/custom-text/en', ['read:prompts']],
    ['GET', '/prompts/login/partials', ['read:prompts']],
    ['GET', '/tenants/settings', ['read:tenant_settings']],
    ['PATCH', '/tenants/settings', ['update:tenant_settings'], { friendly_name: 'New' }],
    ['GET', '/sessions/some', ['read:sessions']],
    ['PATCH', '/sessions/some', ['update:sessions'], { session_metadata: { desk: '4' } }],
    ['DELETE', '/sessions/some', ['delete:sessions']],
    ['POST', '/sessions/some/revoke', ['delete:sessions', 'delete:refresh_tokens']],
    ['GET', `/users/${userId}/sessions`, ['read:sessions']],
    ['DELETE', `/users/${userId}/sessions`, ['delete:sessions']],
    [
      'POST',
      `/users/${userId}/revoke-access`,
      ['delete:sessions', 'delete:refresh_tokens'],
      { session_id: 'some', preserve_refresh_tokens: true },
    ],
    ['GET', `/refresh-tokens?user_id=${userId}`, ['read:refresh_tokens']],
    ['POST', '/refresh-tokens/revoke', ['delete:refresh_tokens'], { ids: ['some'] }],
    ['GET', '/refresh-tokens/some', ['read:refresh_tokens']],
    ['PATCH', '/refresh-tokens/some', ['update:refresh_tokens'], { refresh_token_metadata: { desk: '4' } }],
    ['DELETE', '/refresh-tokens/some', ['delete:refresh_tokens']],
    ['GET', `/users/${userId}/refresh-tokens`, ['read:refresh_tokens']],
    ['DELETE', `/users/${userId}/refresh-tokens`, ['delete:refresh_tokens']],
    ['GET', '/grants', ['read:grants']],
    ['DELETE', `/grants?user_id=${userId}`, ['delete:grants']],
    ['DELETE', '/grants/some', ['delete:grants']],
    ['GET', '/device-credentials', ['read:device_credentials']],
    ['DELETE', '/device-credentials/some', ['delete:device_credentials']],
    ['GET', '/keys/signing', ['read:signing_keys']],
    ['GET', '/keys/signing/some', ['read:signing_keys']],
    ['POST', '/keys/signing/rotate', ['create:signing_keys']],
    ['PUT', '/keys/signing/some/revoke', ['update:signing_keys']],
    ...['bot-detection', 'breached-password-detection', 'captcha', 'phone-provider-protection'].flatMap((name) => [
      ['GET', `/attack-protection/${name}`, ['read:attack_protection']],
      ['PATCH', `/attack-protection/${name}`, ['update:attack_protection']],
    ]),
    ['GET', '/attack-protection/brute-force-protection', ['read:attack_protection']],
    [
      'PATCH',
      '/attack-protection/brute-force-protection',
      ['update:attack_protection'],
      { enabled: true, shields: ['block'], allowlist: ['192.0.2.1'], mode: 'count_per_identifier' },
    ],
    ['GET', '/attack-protection/suspicious-ip-throttling', ['read:attack_protection']],
    [
      'PATCH',
      '/attack-protection/suspicious-ip-throttling',
      ['update:attack_protection'],
      { enabled: true, shields: ['block'], allowlist: ['192.0.2.1'], stage: { 'pre-login': { max_attempts: 9 } } },
    ],
    ['GET', '/user-blocks?identifier=anna@example.test', ['read:users']],
    ['DELETE', '/user-blocks?identifier=anna@example.test', ['update:users']],
    ['GET', `/user-blocks/${userId}`, ['read:users']],
    ['DELETE', `/user-blocks/${userId}`, ['update:users']],
    ['GET', '/anomaly/blocks/ips/192.0.2.1', ['read:anomaly_blocks']],
    ['DELETE', '/anomaly/blocks/ips/192.0.2.1', ['delete:anomaly_blocks']],
  ] as [string, string, string[], (Record<string, unknown> | unknown[])?][]
}

/** What a refused request must leave as it was. */
const state = async () => {
  const lists = [
    ...[
      '/users',
      '/roles',
      '/resource-servers',
      '/clients',
      '/client-grants',
      '/connections',
      '/custom-domains',
      '/keys/signing',
    ],
    ...[
      '/branding',
      '/branding/themes/default',
      '/emails/provider',
      '/email-templates/verify_email',
      '/tenants/settings',
    ],
  ]
  return Promise.all(lists.map(async (path) => (await env.manage('GET', path)).json))
}

test('without a token every operation answers 401 with the recorded body', async () => {
  const kept = await state()
  for (const [method, path, , body] of operations(nouns)) {
    const answer = await env.request(`/api/v2${path}`, { method, body })
    assert.equal(answer.status, 401, `${method} ${path}`)
    assert.equal(answer.headers['www-authenticate'], 'Bearer')
    assert.deepEqual(answer.json, {
      statusCode: 401,
      error: 'Unauthorized',
      message: 'Missing authentication',
      errorCode: 'missing_authentication',
    })
  }
  assert.deepEqual(await state(), kept)
})

test('with every scope but the right one an operation answers 403 and names what it expects', async () => {
  const kept = await state()
  for (const [method, path, scopes, body] of operations(nouns)) {
    const others = managementScopes.filter((scope) => !scopes.includes(scope))
    const answer = await env.manage(method, path, body, others)
    assert.equal(answer.status, 403, `${method} ${path}`)
    assert.deepEqual(answer.json, {
      statusCode: 403,
      error: 'Forbidden',
      message: `Insufficient scope, expected any of: ${scopes.join(' ')}`,
      errorCode: 'insufficient_scope',
    })
  }
  assert.deepEqual(await state(), kept)
})

test('a token of another environment is worth nothing, whatever it says', async () => {
  const other = await identity.environment()
  const token = await other.managementToken()
  for (const [method, path, , body] of operations(nouns)) {
    const answer = await env.request(`/api/v2${path}`, { method, body, headers: { authorization: `Bearer ${token}` } })
    assert.equal(answer.status, 401, `${method} ${path}`)
  }
})

const bodies = () => operations(nouns).filter(([, , , body]) => body !== undefined)

test('a body that is not exactly what the operation takes is refused, and nothing is changed', async () => {
  const kept = await state()
  for (const [method, path, , body] of bodies()) {
    const refuse = async (status: number, sent: unknown, why: string) => {
      const answer = await env.manage(method, path, sent)
      assert.equal(answer.status, status, `${why}: ${method} ${path}: ${answer.text}`)
      assert.equal(answer.json.statusCode, status)
      assert.equal(typeof answer.json.message, 'string')
    }
    if (!Array.isArray(body)) {
      await refuse(400, { ...body, surprise: true }, 'an unknown member')
      await refuse(400, { ...body, isAdmin: true, environment_id: 'env_x' }, 'members of the row')
      for (const name of Object.keys(body!)) {
        await refuse(400, { ...body, [name]: { $ne: 1 } }, `${name} as an object`)
        await refuse(400, { ...body, [name]: 7 }, `${name} as a number`)
      }
    } else await refuse(400, [{ ...(body[0] as object), surprise: true }], 'an unknown member')
    // What replaces a list may leave nothing of it.
    if (!(method === 'PUT' && Array.isArray(body))) await refuse(400, [], 'an empty array')
    await refuse(400, '"text"', 'a text')
    await refuse(400, '{"name": ', 'broken JSON')
    await refuse(400, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'bytes that are no UTF-8')
    await refuse(400, '{"__proto__": {"blocked": true}}', 'a prototype')
    await refuse(400, '{"na\\u0000me": 1}', 'a NUL in a name')
    await refuse(413, JSON.stringify({ name: 'x'.repeat(300_000) }), 'an oversized body')
  }
  assert.deepEqual(await state(), kept)
})

test('a NUL in any text of a body is refused', async () => {
  for (const [method, path, , body] of bodies()) {
    const sent = JSON.stringify(body, (_, value) => (typeof value === 'string' ? `${value}\0` : value))
    if (!sent.includes('\\u0000')) continue
    const answer = await env.manage(method, path, sent)
    assert.equal(answer.status, 400, `${method} ${path}`)
    assert.match(answer.json.message, /NUL/)
  }
})

test('query parameters that no list knows, and pages past the limits, are refused', async () => {
  const ends = ['users', 'roles', 'permissions', 'organizations', 'resource-servers', 'client-grants']
  ends.push('authentication-methods')
  const lists = operations(nouns).filter(([method, path]) => method === 'GET' && ends.includes(path.split('/').at(-1)!))
  assert.equal(lists.length, 12)
  for (const [, path] of [...lists, ['GET', '/clients'], ['GET', '/connections']]) {
    assert.equal((await env.manage('GET', `${path}?surprise=1`)).status, 400, path)
    assert.equal((await env.manage('GET', `${path}?per_page=101`)).status, 400, path)
    assert.equal((await env.manage('GET', `${path}?page=-1`)).status, 400, path)
  }
})
