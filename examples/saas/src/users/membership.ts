/** How a person becomes the administrator of a new tenant. */
import type { ManagementClient } from 'auth0'
import type { RoleIds } from './roles.ts'

export interface MembershipOptions {
  connection: { id: string; name: string }
  spaClientId: string
  roleIds: RoleIds
}

export interface Person {
  userId: string
  proven: boolean
}

/** The account of this address in Stockroom's connection. Accounts from elsewhere are other people until proven. */
export async function findPerson(
  management: ManagementClient,
  email: string,
  connectionName: string,
): Promise<Person | undefined> {
  const users = await management.users.listUsersByEmail({ email })
  const user = users.find(({ identities }) => identities?.some(({ connection }) => connection === connectionName))
  return user?.user_id ? { userId: user.user_id, proven: user.email_verified === true } : undefined
}

/** A first try may have made the person a member of the new one already. */
export async function belongsToAnotherTenant(
  management: ManagementClient,
  person: Person,
  tenantId: string,
): Promise<boolean> {
  const page = await management.users.organizations.list(person.userId)
  return page.data.some(({ metadata }) => metadata?.tenantId !== tenantId)
}

/**
 * Adds the person who has proven the address before, and invites everybody else. An account whose address was never
 * proven is invited too: somebody could have signed up with the address of the owner-to-be in order to wait for this.
 * May be repeated: a second try neither invites nor adds twice.
 */
export async function ensureAdministrator(
  management: ManagementClient,
  organizationId: string,
  email: string,
  options: MembershipOptions,
): Promise<'added' | 'invited'> {
  const roleId = await options.roleIds.idOf('admin')
  const person = await findPerson(management, email, options.connection.name)
  if (person?.proven) {
    await management.organizations.members.create(organizationId, { members: [person.userId] })
    await management.organizations.members.roles.assign(organizationId, person.userId, { roles: [roleId] })
    return 'added'
  }
  for await (const invitation of await management.organizations.invitations.list(organizationId)) {
    if (invitation.invitee?.email?.toLowerCase() === email) return 'invited'
  }
  await management.organizations.invitations.create(organizationId, {
    inviter: { name: 'Stockroom' },
    invitee: { email },
    client_id: options.spaClientId,
    connection_id: options.connection.id,
    roles: [roleId],
    send_invitation_email: true,
  })
  return 'invited'
}
