import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import { data, type Open } from './client.ts'

export function organizationsSuite(open: Open): void {
  test('organizations with their connections and members', async () => {
    const { api } = open()
    const made = await data(
      api.organizations.create({ name: 'acme', display_name: 'Acme', metadata: { tenantId: 't' } }),
    )
    const { id } = made
    assert.deepEqual(made, { id, name: 'acme', display_name: 'Acme', metadata: { tenantId: 't' } })
    const stored = { ...made, display_name: 'Acme Ltd' }
    assert.deepEqual(await data(api.organizations.update({ id }, { display_name: 'Acme Ltd' })), stored)
    assert.deepEqual(await data(api.organizations.get({ id })), stored)
    assert.deepEqual(await data(api.organizations.getByName({ name: 'acme' })), stored)
    assert.deepEqual(await data(api.organizations.getAll()), [stored])

    const connection = await data(api.connections.create({ name: 'acme', strategy: 'auth0' }))
    const body = { connection_id: connection.id, assign_membership_on_login: true }
    const enabled = await data(api.organizations.addEnabledConnection({ id }, body))
    assert.equal(enabled.connection.name, 'acme')
    assert.deepEqual(await data(api.organizations.getEnabledConnections({ id })), [enabled])
    const path = { id, connectionId: connection.id }
    const change = { assign_membership_on_login: false }
    const changed = await data(api.organizations.updateEnabledConnection(path, change))
    assert.deepEqual(changed, { ...enabled, ...change })
    assert.deepEqual(await data(api.organizations.getEnabledConnection(path)), changed)

    const user = await data(api.users.create({ connection: 'acme', email: 'Anna@acme.test', password: PASSWORD }))
    const { user_id } = user
    await api.organizations.addMembers({ id }, { members: [user_id] })
    assert.deepEqual(
      (await data(api.organizations.getMembers({ id }))).map((member) => [member.user_id, member.email]),
      [[user_id, 'Anna@acme.test']],
    )
    const role = await data(api.roles.create({ name: 'Member', description: 'Of an organization' }))
    await api.organizations.addMemberRoles({ id, user_id }, { roles: [role.id] })
    assert.deepEqual(await data(api.organizations.getMemberRoles({ id, user_id })), [role])
    assert.deepEqual(await data(api.users.getUserOrganizations({ id: user_id })), [stored])
    await api.organizations.deleteMemberRoles({ id, user_id }, { roles: [role.id] })
    assert.deepEqual(await data(api.organizations.getMemberRoles({ id, user_id })), [])
    await api.organizations.deleteMembers({ id }, { members: [user_id] })
    assert.deepEqual(await data(api.organizations.getMembers({ id })), [])
    await api.organizations.deleteEnabledConnection(path)
    assert.deepEqual(await data(api.organizations.getEnabledConnections({ id })), [])

    await api.roles.delete({ id: role.id })
    await api.connections.delete({ id: connection.id })
    await api.organizations.delete({ id })
    await assert.rejects(api.organizations.get({ id }), { statusCode: 404, errorCode: 'inexistent_organization' })
  })

  test('invitations, domains and grants of organizations', async () => {
    const { api } = open()
    const { id } = await data(api.organizations.create({ name: 'blue' }))
    const connection = await data(api.connections.create({ name: 'blue', strategy: 'auth0' }))
    await api.organizations.addEnabledConnection({ id }, { connection_id: connection.id })
    const { client_id } = await data(
      api.clients.create({ name: 'Blue', app_type: 'regular_web', initiate_login_uri: 'https://blue.test/login' }),
    )
    await api.connections.updateEnabledClients({ id: connection.id }, [{ client_id, status: true }])
    const invitation = await data(
      api.organizations.createInvitation(
        { id },
        { inviter: { name: 'Ben' }, invitee: { email: 'eve@blue.test' }, client_id },
      ),
    )
    assert.match(invitation.invitation_url, /^https:\/\/blue\.test\/login\?invitation=/)
    const [listed] = await data(api.organizations.getInvitations({ id }))
    assert.deepEqual([listed!.id, listed!.invitee], [invitation.id, { email: 'eve@blue.test' }])
    const path = { id, invitation_id: invitation.id }
    assert.deepEqual(await data(api.organizations.getInvitation(path)), listed)
    await api.organizations.deleteInvitation(path)
    assert.deepEqual(await data(api.organizations.getInvitations({ id })), [])

    const domain = await data(api.organizations.createDiscoveryDomain({ id }, { domain: 'blue.test' }))
    const at = { id, discovery_domain_id: domain.id }
    assert.deepEqual([domain.domain, domain.status], ['blue.test', 'pending'])
    assert.deepEqual(await data(api.organizations.getDiscoveryDomain(at)), domain)
    assert.deepEqual((await data(api.organizations.getAllDiscoveryDomains({ id }))).domains, [domain])
    const verified = await data(api.organizations.updateDiscoveryDomain(at, { status: 'verified' }))
    assert.deepEqual(verified, { ...domain, status: 'verified' })
    await api.organizations.deleteDiscoveryDomain(at)
    await assert.rejects(api.organizations.getDiscoveryDomain(at), { statusCode: 404 })

    const machine = await data(api.clients.create({ name: 'Blue machine', app_type: 'non_interactive' }))
    const server = await data(api.resourceServers.create({ identifier: 'urn:blue', scopes: [{ value: 'read:x' }] }))
    const grant = await data(
      api.clientGrants.create({
        client_id: machine.client_id,
        audience: 'urn:blue',
        scope: ['read:x'],
        organization_usage: 'require',
      }),
    )
    const grant_id = grant.id
    const bound = await data(api.organizations.postOrganizationClientGrants({ id }, { grant_id }))
    assert.equal(bound.id, grant_id)
    assert.deepEqual(await data(api.organizations.getOrganizationClientGrants({ id })), [bound])
    assert.deepEqual(
      (await data(api.clientGrants.getAllOrganizations({ id: grant_id }))).map((found) => found.id),
      [id],
    )
    await api.organizations.deleteClientGrantsByGrantId({ id, grant_id })
    assert.deepEqual(await data(api.organizations.getOrganizationClientGrants({ id })), [])

    await api.clients.delete({ client_id })
    await api.clients.delete({ client_id: machine.client_id })
    await api.resourceServers.delete({ id: server.id })
    await api.connections.delete({ id: connection.id })
    await api.organizations.delete({ id })
  })
}
