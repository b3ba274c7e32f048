import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all, PASSWORD } from '../fixture.ts'
import type { Open } from './roles.ts'

export function organizationMembersSuite(open: Open): void {
  test('members of an organization and their roles', async () => {
    const { api } = open()
    const organization = await api.organizations.create({ name: 'with-members', metadata: { tenantId: 't-7' } })
    const id = organization.id!
    const connection = await api.connections.create({ name: 'of-members', strategy: 'auth0' })
    const user = await api.users.create({ connection: 'of-members', email: 'anna@members.test', password: PASSWORD })
    const userId = user.user_id!
    const { members } = api.organizations
    await members.create(id, { members: [userId] })
    const { email, name, picture } = user
    const member = { user_id: userId, email, name, ...(picture === undefined ? {} : { picture }) }
    assert.deepEqual(await all(members.list(id)), [member])
    assert.deepEqual(await all(api.users.organizations.list(userId)), [organization])

    const role = await api.roles.create({ name: 'Member', description: 'Belongs' })
    await members.roles.assign(id, userId, { roles: [role.id!] })
    assert.deepEqual(await all(members.roles.list(id, userId)), [role])
    assert.deepEqual(await all(members.list(id, { fields: 'user_id,roles' })), [
      { user_id: userId, roles: [{ id: role.id, name: 'Member' }] },
    ])
    await members.roles.delete(id, userId, { roles: [role.id!] })
    assert.deepEqual(await all(members.roles.list(id, userId)), [])
    await members.delete(id, { members: [userId] })
    assert.deepEqual(await all(members.list(id)), [])
    await api.roles.delete(role.id!)
    await api.organizations.delete(id)
    await api.connections.delete(connection.id!)
  })

  test('invitations into an organization', async () => {
    const { api } = open()
    const { id } = await api.organizations.create({ name: 'inviting' })
    const client = await api.clients.create({
      name: 'Inviting',
      app_type: 'regular_web',
      initiate_login_uri: 'https://inviting.test/login',
      organization_usage: 'allow',
    })
    const asked = {
      inviter: { name: 'Ben' },
      invitee: { email: 'eve@inviting.test' },
      client_id: client.client_id!,
      app_metadata: { plan: 'pro' },
      ttl_sec: 3600,
      send_invitation_email: false,
    }
    const { invitations } = api.organizations
    const made = await invitations.create(id!, asked)
    assert.match(made.invitation_url!, /^https:\/\/inviting\.test\/login\?invitation=/)
    const { inviter, invitee, client_id, app_metadata } = made
    assert.deepEqual(
      { inviter, invitee, client_id, app_metadata },
      { inviter: asked.inviter, invitee: asked.invitee, client_id: asked.client_id, app_metadata: { plan: 'pro' } },
    )
    assert.equal(Date.parse(made.expires_at!) - Date.parse(made.created_at!), 3_600_000)
    assert.deepEqual(await invitations.get(id!, made.id!), made)
    assert.deepEqual(await all(invitations.list(id!)), [made])
    await invitations.delete(id!, made.id!)
    assert.deepEqual(await all(invitations.list(id!)), [])
    await api.organizations.delete(id!)
    await api.clients.delete(client.client_id!)
  })
}
