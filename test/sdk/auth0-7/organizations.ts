import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all } from '../fixture.ts'
import type { Open } from './roles.ts'

export function organizationsSuite(open: Open): void {
  test('an organization is made, found by id, name and words, changed and deleted', async () => {
    const { api } = open()
    const asked = {
      name: 'acme',
      display_name: 'Acme',
      branding: { logo_url: 'https://acme.test/logo.png', colors: { primary: '#112233', page_background: '#ffffff' } },
      metadata: { tenantId: 't-acme' },
    }
    const made = await api.organizations.create(asked)
    const id = made.id!
    assert.deepEqual(made, { id, ...asked })
    assert.deepEqual(await api.organizations.get(id), made)
    assert.deepEqual(await api.organizations.getByName('acme'), made)
    assert.deepEqual(await all(api.organizations.search({ q: 'metadata.tenantId:"t-acme"' })), [made])
    const changed = await api.organizations.update(id, { display_name: 'Acme Ltd', metadata: { tenantId: 't-1' } })
    assert.deepEqual(changed, { ...made, display_name: 'Acme Ltd', metadata: { tenantId: 't-1' } })
    assert.deepEqual(await all(api.organizations.list()), [changed])
    await api.organizations.delete(id)
    await assert.rejects(api.organizations.get(id), { statusCode: 404 })
  })

  test('connections of an organization, by either of their addresses', async () => {
    const { api } = open()
    const { id } = await api.organizations.create({ name: 'with-connections' })
    const { id: connectionId } = await api.connections.create({ name: 'of-organization', strategy: 'auth0' })
    const connection = { name: 'of-organization', strategy: 'auth0' }
    const enabled = await api.organizations.enabledConnections.add(id!, {
      connection_id: connectionId!,
      assign_membership_on_login: true,
    })
    assert.deepEqual(enabled, {
      connection_id: connectionId,
      assign_membership_on_login: true,
      show_as_button: true,
      is_signup_enabled: false,
      connection,
    })
    assert.deepEqual(await api.organizations.enabledConnections.get(id!, connectionId!), enabled)
    const updated = await api.organizations.enabledConnections.update(id!, connectionId!, {
      assign_membership_on_login: false,
    })
    assert.deepEqual(updated, { ...enabled, assign_membership_on_login: false })
    assert.deepEqual(await all(api.organizations.enabledConnections.list(id!)), [updated])
    await api.organizations.enabledConnections.delete(id!, connectionId!)
    assert.deepEqual(await all(api.organizations.enabledConnections.list(id!)), [])

    const added = await api.organizations.connections.create(id!, {
      connection_id: connectionId!,
      organization_connection_name: 'Staff',
      is_enabled: true,
    })
    assert.deepEqual(added, {
      ...updated,
      organization_connection_name: 'Staff',
      organization_access_level: 'none',
      is_enabled: true,
    })
    assert.deepEqual(await api.organizations.connections.get(id!, connectionId!), added)
    const renamed = await api.organizations.connections.update(id!, connectionId!, { is_enabled: false })
    assert.deepEqual(renamed, { ...added, is_enabled: false })
    assert.deepEqual(await all(api.organizations.connections.list(id!, { is_enabled: false })), [renamed])
    assert.deepEqual(await all(api.organizations.connections.list(id!, { is_enabled: true })), [])
    await api.organizations.connections.delete(id!, connectionId!)
    await assert.rejects(api.organizations.connections.get(id!, connectionId!), { statusCode: 404 })
    await api.organizations.delete(id!)
    await api.connections.delete(connectionId!)
  })

  test('applications that an organization uses', async () => {
    const { api } = open()
    const { id } = await api.organizations.create({ name: 'with-clients' })
    const client = await api.clients.create({
      name: 'Of an organization',
      app_type: 'spa',
      organization_usage: 'allow',
    })
    const clientId = client.client_id!
    const association = {
      client_id: clientId,
      use_for_member_access: true,
      client: {
        name: 'Of an organization',
        app_type: 'spa',
        is_first_party: true,
        grant_types: client.grant_types,
        organization_usage: 'allow',
      },
    }
    await api.organizations.clients.create(id!, { clients: [{ client_id: clientId, use_for_member_access: true }] })
    assert.deepEqual(await api.organizations.clients.get(id!, clientId), association)
    await api.organizations.clients.update(id!, clientId, { use_for_member_access: false })
    assert.deepEqual(await all(api.organizations.clients.list(id!)), [{ ...association, use_for_member_access: false }])
    await api.organizations.clients.delete(id!, { clients: [clientId] })
    assert.deepEqual(await all(api.organizations.clients.list(id!)), [])
    await api.organizations.delete(id!)
    await api.clients.delete(clientId)
  })

  test('grants of machines in an organization', async () => {
    const { api } = open()
    const { id } = await api.organizations.create({ name: 'with-grants' })
    const server = await api.resourceServers.create({ identifier: 'urn:grants', scopes: [{ value: 'read:x' }] })
    const client = await api.clients.create({ name: 'Machine', app_type: 'non_interactive' })
    const grant = await api.clientGrants.create({
      client_id: client.client_id!,
      audience: 'urn:grants',
      scope: ['read:x'],
      organization_usage: 'require',
    })
    const { id: grantId, client_id, audience, scope, organization_usage, allow_any_organization } = grant
    const bound = { id: grantId, client_id, audience, scope, organization_usage, allow_any_organization }
    assert.deepEqual(await api.organizations.clientGrants.create(id!, { grant_id: grantId! }), bound)
    assert.deepEqual(await all(api.organizations.clientGrants.list(id!)), [bound])
    const organizations = await all(api.clientGrants.organizations.list(grantId!))
    assert.deepEqual(
      organizations.map((organization) => organization.id),
      [id],
    )
    await api.organizations.clientGrants.delete(id!, grantId!)
    assert.deepEqual(await all(api.organizations.clientGrants.list(id!)), [])
    await api.organizations.delete(id!)
    await api.clients.delete(client.client_id!)
    await api.resourceServers.delete(server.id!)
  })

  test('domains that an organization says are its own', async () => {
    const { api } = open()
    const { id } = await api.organizations.create({ name: 'with-domains' })
    const { discoveryDomains } = api.organizations
    const made = await discoveryDomains.create(id!, { domain: 'domains.example' })
    const { id: domainId, verification_txt } = made
    assert.deepEqual(made, {
      id: domainId,
      domain: 'domains.example',
      status: 'pending',
      use_for_organization_discovery: true,
      verification_txt,
      verification_host: '_tenantry-challenge.domains.example',
    })
    assert.deepEqual(await discoveryDomains.get(id!, domainId), made)
    assert.deepEqual(await discoveryDomains.getByName(id!, 'domains.example'), made)
    const verified = await discoveryDomains.update(id!, domainId, { status: 'verified' })
    assert.deepEqual(verified, { ...made, status: 'verified' })
    assert.deepEqual(await all(discoveryDomains.list(id!)), [verified])
    await discoveryDomains.delete(id!, domainId)
    assert.deepEqual(await all(discoveryDomains.list(id!)), [])
    await api.organizations.delete(id!)
  })
}
