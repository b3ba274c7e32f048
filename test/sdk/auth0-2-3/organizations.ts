import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import type { Open } from './client.ts'

export function organizationsSuite(open: Open): void {
  test('organizations, their connections, members, roles and invitations', async () => {
    const { api, tag } = open()
    const { id, ...made } = await api.organizations.create({
      name: tag,
      display_name: 'Acme',
      metadata: { tenantId: 't-1' },
    })
    assert.deepEqual(made, { name: tag, display_name: 'Acme', metadata: { tenantId: 't-1' } })
    const stored = { id, ...made, display_name: 'Acme Ltd' }
    assert.deepEqual(await api.organizations.update({ id }, { display_name: 'Acme Ltd' }), stored)
    assert.deepEqual(await api.organizations.getByID({ id }), stored)
    assert.deepEqual(await api.organizations.getByName({ name: tag }), stored)
    assert.deepEqual(await api.organizations.getAll(), [stored])

    const connection = await api.connections.create({ name: tag, strategy: 'auth0' })
    const enabled = await api.organizations.addEnabledConnection(
      { id },
      { connection_id: connection.id, assign_membership_on_login: true },
    )
    assert.equal(enabled.connection.name, tag)
    assert.deepEqual(await api.organizations.getEnabledConnections({ id }), [enabled])
    const path = () => ({ id, connection_id: connection.id })
    const changed = await api.organizations.updateEnabledConnection(path(), { assign_membership_on_login: false })
    assert.deepEqual(changed, { ...enabled, assign_membership_on_login: false })
    assert.deepEqual(await api.organizations.getEnabledConnection(path()), changed)

    const user = await api.users.create({ connection: tag, email: 'Anna@acme.test', password: PASSWORD })
    const userId: string = user.user_id
    await api.organizations.addMembers({ id }, { members: [userId] })
    const [member, ...more] = await api.organizations.getMembers({ id })
    assert.deepEqual([member.user_id, member.email, more.length], [userId, 'Anna@acme.test', 0])
    const role = await api.roles.create({ name: `${tag} member`, description: 'Of an organization' })
    const ofMember = () => ({ id, user_id: userId })
    await api.organizations.addMemberRoles(ofMember(), { roles: [role.id] })
    assert.deepEqual(await api.organizations.getMemberRoles(ofMember()), [role])
    assert.deepEqual(await api.users.getUserOrganizations({ id: userId }), [stored])
    await api.organizations.removeMemberRoles(ofMember(), { roles: [role.id] })
    assert.deepEqual(await api.organizations.getMemberRoles(ofMember()), [])
    await api.organizations.removeMembers({ id }, { members: [userId] })
    assert.deepEqual(await api.organizations.getMembers({ id }), [])

    const client = await api.clients.create({
      name: tag,
      app_type: 'regular_web',
      callbacks: ['https://acme.test/cb'],
      initiate_login_uri: 'https://acme.test/login',
    })
    await api.connections.update({ id: connection.id }, { enabled_clients: [client.client_id] })
    const invitation = await api.organizations.createInvitation(
      { id },
      { inviter: { name: 'Ben' }, invitee: { email: 'eve@acme.test' }, client_id: client.client_id },
    )
    assert.match(invitation.invitation_url, /^https:\/\/acme\.test\/login\?invitation=/)
    const [listed] = await api.organizations.getInvitations({ id })
    assert.deepEqual([listed.id, listed.invitee], [invitation.id, { email: 'eve@acme.test' }])
    const byId = () => ({ id, invitation_id: invitation.id })
    assert.deepEqual(await api.organizations.getInvitation(byId()), listed)
    await api.organizations.deleteInvitation(byId())
    assert.deepEqual(await api.organizations.getInvitations({ id }), [])

    await api.organizations.removeEnabledConnection(path())
    assert.deepEqual(await api.organizations.getEnabledConnections({ id }), [])
    await api.clients.delete({ client_id: client.client_id })
    await api.roles.delete({ id: role.id })
    await api.connections.delete({ id: connection.id })
    await api.organizations.delete({ id })
    await assert.rejects(api.organizations.getByID({ id }), { statusCode: 404 })
  })
}
