/** An environment for browsers: issuer and application under one site, as cookies in an iframe need it over plain http. */

import assert from 'node:assert/strict'
import { AUDIENCE, PASSWORD, type Person, type World } from '@tenantry/identity/oauth/fixture.ts'
import type { TestEnvironment, TestIdentity } from '@tenantry/identity/testing.ts'

export interface BrowserWorld {
  env: TestEnvironment
  app: string
  client: string
  /** Anna administers acme, reads in globex, and is not in initech. */
  anna: Person
  acme: string
  globex: string
  initech: string
  /** POST to the Management API, which must answer with success. */
  make: World['make']
  invite(email: string, organization: string): Promise<{ ticket_id: string }>
}

export async function createBrowserWorld(identity: TestIdentity, appPort: number): Promise<BrowserWorld> {
  const env = await identity.environment({}, 'localhost')
  const app = `http://app.${new URL(env.origin).hostname}:${appPort}`
  const post: World['make'] = async (path, body) => {
    const answer = await env.manage('POST', path, body)
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.text}`)
    return answer.json
  }
  const { client_id: client } = await post('/clients', {
    name: 'Stockroom',
    app_type: 'spa',
    callbacks: [`${app}/spa`, `${app}/react`],
    web_origins: [app],
    allowed_logout_urls: [`${app}/spa`, `${app}/react`],
    initiate_login_uri: `${app}/spa`,
    grant_types: ['authorization_code', 'refresh_token'],
    organization_usage: 'require',
  })
  await post('/resource-servers', {
    name: 'Items',
    identifier: AUDIENCE,
    scopes: [{ value: 'read:item' }, { value: 'create:item' }],
    enforce_policies: true,
    token_dialect: 'access_token_authz',
    allow_offline_access: true,
  })
  const connection = await post('/connections', {
    name: 'people',
    strategy: 'auth0',
    enabled_clients: [client],
    options: { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } },
  })
  const role = async (name: string, permissions: string[]): Promise<string> => {
    const { id } = await post('/roles', { name })
    await post(`/roles/${id}/permissions`, {
      permissions: permissions.map((permission_name) => ({ permission_name, resource_server_identifier: AUDIENCE })),
    })
    return id
  }
  const admin = await role('Administrator', ['read:item', 'create:item'])
  const reader = await role('Reader', ['read:item'])
  const organization = async (name: string): Promise<string> =>
    (await post('/organizations', { name, enabled_connections: [{ connection_id: connection.id }] })).id
  const [acme, globex, initech] = [
    await organization('acme'),
    await organization('globex'),
    await organization('initech'),
  ]
  const email = 'anna@example.test'
  const { user_id } = await post('/users', { connection: 'people', email, password: PASSWORD, verify_email: false })
  for (const [id, held] of [
    [acme, admin],
    [globex, reader],
  ] as const) {
    await post(`/organizations/${id}/members`, { members: [user_id] })
    await post(`/organizations/${id}/members/${encodeURIComponent(user_id)}/roles`, { roles: [held] })
  }
  return {
    env,
    app,
    client,
    anna: { user_id, email },
    acme,
    globex,
    initech,
    make: post,
    invite: (invitee, id) =>
      post(`/organizations/${id}/invitations`, {
        inviter: { name: 'Anna Reed' },
        invitee: { email: invitee },
        client_id: client,
        roles: [reader],
        send_invitation_email: false,
      }),
  }
}
