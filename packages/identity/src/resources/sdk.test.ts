/**
 * The public SDK of version 3 (superagent, JSON token call, bare arrays), unmodified, through TLS. It gets its token with
 * client credentials, as every backend does.
 */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { request as forward } from 'node:http'
import { createServer, globalAgent, type Server } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { PASSWORD } from './fixture.ts'
import { managementScopes } from './management-scopes.ts'

// Version 3 has no types.
const { ManagementClient: ManagementClient3 } = createRequire(import.meta.url)('auth0-3')

let identity: TestIdentity
let tls: Server
let env: TestEnvironment
let options: { domain: string; clientId: string; clientSecret: string }

before(async () => {
  identity = await startIdentity()
  const { key, cert } = await selfSigned()
  setDefaultCACertificates([...getCACertificates(), cert])
  globalAgent.options.ca = cert
  // Ends TLS and passes on, as a proxy in front of the server does.
  tls = createServer({ key, cert }, (incoming, outgoing) => {
    const { method, url, headers } = incoming
    const inner = forward({ port: identity.port, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(inner)
  })
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
  env = await identity.environment()
  const domain = `localhost:${(tls.address() as AddressInfo).port}`
  const origin = `https://${domain}`
  await identity.database.acrossEnvironments('test: an origin with TLS', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${origin}) where id = ${env.id}`
    await sql`insert into environment_origins (origin, environment_id) values (${origin}, ${env.id})`
  })
  const client = (await env.manage('POST', '/clients', { name: 'Backend', app_type: 'non_interactive' })).json
  const granted = await env.manage('POST', '/client-grants', {
    client_id: client.client_id,
    audience: `${env.origin}/api/v2/`,
    scope: managementScopes,
  })
  assert.equal(granted.status, 201, granted.text)
  options = { domain, clientId: client.client_id, clientSecret: client.client_secret }
})
after(async () => {
  tls.close()
  tls.closeAllConnections()
  await identity.close()
})

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  })
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { key: PemConverter.encode(pkcs8, 'PRIVATE KEY'), cert: certificate.toString('pem') }
}

test('version 3 provisions an organization with its people', async () => {
  const api = new ManagementClient3(options)
  const connection = await api.connections.create({ name: 'three', strategy: 'auth0' })
  const organization = await api.organizations.create({ name: 'three', metadata: { tenantId: 't-3' } })
  const enabled = await api.organizations.addEnabledConnection(
    { id: organization.id },
    { connection_id: connection.id, assign_membership_on_login: true },
  )
  assert.equal(enabled.connection.name, 'three')
  const user = await api.users.create({ connection: 'three', email: 'Anna@three.test', password: PASSWORD })
  const [found, ...more] = await api.users.getByEmail('anna@THREE.test')
  assert.deepEqual([found.user_id, more.length], [user.user_id, 0])
  await api.organizations.addMembers({ id: organization.id }, { members: [user.user_id] })
  const role = await api.roles.create({ name: 'Three', description: 'Role of version 3' })
  await api.organizations.addMemberRoles({ id: organization.id, user_id: user.user_id }, { roles: [role.id] })
  const roles = await api.organizations.getMemberRoles({ id: organization.id, user_id: user.user_id })
  assert.deepEqual(roles, [{ id: role.id, name: 'Three', description: 'Role of version 3' }])
  const [member] = await api.organizations.getMembers({ id: organization.id })
  assert.equal(member.user_id, user.user_id)
  const [theirs] = await api.users.getUserOrganizations({ id: user.user_id })
  assert.equal(theirs.metadata.tenantId, 't-3')
  assert.equal((await api.organizations.getByName({ name: 'three' })).id, organization.id)

  const server = await api.resourceServers.create({ identifier: 'urn:three', scopes: [{ value: 'read:x' }] })
  const permissions = [{ resource_server_identifier: 'urn:three', permission_name: 'read:x' }]
  await api.roles.addPermissions({ id: role.id }, { permissions })
  assert.equal((await api.roles.getPermissions({ id: role.id }))[0].permission_name, 'read:x')
  await api.users.assignRoles({ id: user.user_id }, { roles: [role.id] })
  assert.deepEqual(
    (await api.roles.getUsers({ id: role.id })).map((holder: { email: string }) => holder.email),
    ['Anna@three.test'],
  )
  await api.users.assignPermissions({ id: user.user_id }, { permissions })
  assert.equal((await api.users.getPermissions({ id: user.user_id }))[0].sources.length, 2)
  await api.users.removePermissions({ id: user.user_id }, { permissions })
  await api.users.removeRoles({ id: user.user_id }, { roles: [role.id] })
  assert.deepEqual(await api.users.getRoles({ id: user.user_id }), [])

  const client = await api.clients.create({
    name: 'Three',
    app_type: 'regular_web',
    callbacks: ['https://three.test/cb'],
    initiate_login_uri: 'https://three.test/login',
  })
  const rotated = await api.clients.rotateClientSecret({ client_id: client.client_id })
  assert.notEqual(rotated.client_secret, client.client_secret)
  const grant = await api.clientGrants.create({ client_id: client.client_id, audience: 'urn:three', scope: [] })
  await api.clientGrants.update({ id: grant.id }, { scope: ['read:x'] })
  assert.equal((await api.clientGrants.getAll({ client_id: client.client_id }))[0].scope[0], 'read:x')
  await api.connections.update({ id: connection.id }, { enabled_clients: [client.client_id] })
  const invitation = await api.organizations.createInvitation(
    { id: organization.id },
    { inviter: { name: 'Ben' }, invitee: { email: 'eve@three.test' }, client_id: client.client_id },
  )
  assert.match(invitation.invitation_url, /^https:\/\/three\.test\/login\?invitation=/)
  assert.equal((await api.organizations.getInvitations({ id: organization.id })).length, 1)

  const updated = await api.users.update({ id: user.user_id }, { app_metadata: { plan: 'pro' } })
  assert.deepEqual(updated.app_metadata, { plan: 'pro' })
  const page = await api.users.getAll({ page: 0, per_page: 1, include_totals: true })
  assert.deepEqual([page.start, page.limit, page.users.length], [0, 1, 1])
  const [global] = await api.clients.getAll({ is_global: true })
  assert.equal(global.global, true)

  await api.users.delete({ id: user.user_id })
  await api.clientGrants.delete({ id: grant.id })
  await api.clients.delete({ client_id: client.client_id })
  await api.resourceServers.delete({ id: server.id })
  await api.roles.delete({ id: role.id })
  await api.organizations.delete({ id: organization.id })
  await api.connections.delete({ id: connection.id })
  await assert.rejects(api.users.get({ id: user.user_id }), { statusCode: 404, message: 'The user does not exist.' })
})
