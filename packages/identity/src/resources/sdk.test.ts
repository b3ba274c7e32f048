/**
 * The public SDK, unmodified, through TLS: version 7 (fetch, form token call, checkpoints). It gets its tokens with client
 * credentials, as every backend does. Older versions are in test/sdk.
 */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { request as forward } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { ManagementClient } from 'auth0'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { PASSWORD } from './fixture.ts'
import { managementScopes } from './management-scopes.ts'

let identity: TestIdentity
let tls: Server
let env: TestEnvironment
let options: { domain: string; clientId: string; clientSecret: string }

before(async () => {
  identity = await startIdentity()
  const { key, cert } = await selfSigned()
  setDefaultCACertificates([...getCACertificates(), cert])
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

async function all<Item>(pages: Promise<AsyncIterable<Item>>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of await pages) items.push(item)
  return items
}

test('version 7 provisions an organization with its people', async () => {
  const api = new ManagementClient(options)
  const connection = await api.connections.create({ name: 'seven', strategy: 'auth0' })
  const organization = await api.organizations.create({ name: 'seven', metadata: { tenantId: 't-7' } })
  const id = organization.id!
  await api.organizations.enabledConnections.add(id, { connection_id: connection.id! })
  assert.equal((await all(api.organizations.enabledConnections.list(id)))[0]!.connection!.name, 'seven')
  const user = await api.users.create({ connection: 'seven', email: 'Anna@seven.test', password: PASSWORD })
  const userId = user.user_id!
  assert.deepEqual(
    (await api.users.listUsersByEmail({ email: 'anna@SEVEN.test' })).map((found) => found.user_id),
    [userId],
  )
  await api.organizations.members.create(id, { members: [userId] })
  const role = await api.roles.create({ name: 'Seven' })
  const roleId = role.id!
  await api.organizations.members.roles.assign(id, userId, { roles: [roleId] })
  assert.deepEqual(await all(api.organizations.members.roles.list(id, userId)), [{ id: roleId, name: 'Seven' }])
  assert.equal((await all(api.organizations.members.list(id)))[0]!.user_id, userId)
  assert.deepEqual(
    (await all(api.users.organizations.list(userId))).map((found) => found.metadata),
    [{ tenantId: 't-7' }],
  )

  const server = await api.resourceServers.create({
    identifier: 'https://seven.test/api',
    scopes: [{ value: 'read:x', description: 'Read' }],
  })
  assert.equal((await api.resourceServers.get('https://seven.test/api')).id, server.id)
  const permissions = [{ resource_server_identifier: 'https://seven.test/api', permission_name: 'read:x' }]
  await api.roles.permissions.add(roleId, { permissions })
  assert.equal((await all(api.roles.permissions.list(roleId)))[0]!.description, 'Read')
  await api.roles.users.assign(roleId, { users: [userId] })
  assert.equal((await all(api.roles.users.list(roleId)))[0]!.email, 'Anna@seven.test')
  await api.users.permissions.create(userId, { permissions })
  assert.equal((await all(api.users.permissions.list(userId))).length, 1)
  assert.equal((await all(api.users.roles.list(userId)))[0]!.id, roleId)
  await api.users.roles.delete(userId, { roles: [roleId] })
  await api.users.permissions.delete(userId, { permissions })

  const client = await api.clients.create({ name: 'Seven', app_type: 'non_interactive' })
  const clientId = client.client_id!
  const grant = await api.clientGrants.create({
    client_id: clientId,
    audience: 'https://seven.test/api',
    scope: ['read:x'],
    organization_usage: 'require',
  })
  await api.organizations.clientGrants.create(id, { grant_id: grant.id! })
  assert.deepEqual(
    (await all(api.organizations.clientGrants.list(id))).map((bound) => bound.id),
    [grant.id],
  )
  assert.deepEqual(
    (await all(api.clientGrants.organizations.list(grant.id!))).map((bound) => bound.id),
    [id],
  )
  await api.organizations.clientGrants.delete(id, grant.id!)
  assert.deepEqual(
    (await all(api.clientGrants.list({ client_id: clientId }))).map((found) => found.id),
    [grant.id],
  )
  await api.connections.clients.update(connection.id!, [{ client_id: clientId, status: true }])
  assert.deepEqual(await all(api.connections.clients.get(connection.id!)), [{ client_id: clientId }])
  assert.deepEqual(
    (await all(api.clients.connections.get(clientId))).map((found) => found.id),
    [connection.id],
  )
  const rotated = await api.clients.rotateSecret(clientId)
  assert.notEqual(rotated.client_secret, client.client_secret)

  await api.users.update(userId, { user_metadata: { theme: 'dark' } })
  assert.deepEqual((await api.users.get(userId, { fields: 'user_metadata' })).user_metadata, { theme: 'dark' })
  assert.deepEqual(
    (await all(api.clients.list({ is_global: true }))).map((found) => found.name),
    ['All Applications'],
  )
  await api.connections.users.deleteByEmail(connection.id!, { email: 'anna@seven.test' })
  await assert.rejects(api.users.get(userId), { statusCode: 404 })
  await assert.rejects(api.roles.create({ name: 'seven' }), { statusCode: 409 })
  await api.clientGrants.delete(grant.id!)
  await api.clients.delete(clientId)
  await api.resourceServers.delete(server.id!)
  await api.roles.delete(roleId)
  await api.organizations.delete(id)
  await api.connections.delete(connection.id!)
  assert.deepEqual(await all(api.connections.list({ name: 'seven' })), [])
})

test('version 7 walks through more rows than one page holds, by pages and by checkpoints', async () => {
  const api = new ManagementClient(options)
  for (let index = 0; index < 7; index++) {
    await env.manage('POST', '/roles', { name: `Walk ${index}` })
    await env.manage('POST', '/organizations', { name: `walk-${index}` })
    await env.manage('POST', '/connections', { name: `walk-${index}`, strategy: 'auth0' })
  }
  const count = async (pages: Promise<AsyncIterable<{ name?: string }>>) =>
    new Set((await all(pages)).map((row) => row.name).filter((name) => /^walk/i.test(name ?? ''))).size
  assert.equal(await count(api.roles.list({ per_page: 2 })), 7)
  assert.equal(await count(api.organizations.list({ take: 2 })), 7)
  assert.equal(await count(api.connections.list({ take: 3 })), 7)
})
