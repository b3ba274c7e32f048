import type { Tx } from '@tenantry/kernel/database/database.ts'
import { revokeGrants } from '../../grants/store.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { problems, ROLES_PER_MEMBER } from './rules.ts'

export interface MemberRow {
  user_id: string
  picture: string | null
  name: string | null
  email: string | null
  roles: { id: string; name: string }[] | null
}

export interface RoleRow {
  id: string
  name: string
  description: string | null
}

export async function list(
  tx: Tx,
  organizationId: string,
  page: Page,
  options: { withRoles: boolean },
): Promise<Found<MemberRow>> {
  const roles = options.withRoles
    ? tx`(select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name) order by r.name), '[]')
          from member_roles mr join roles r on r.id = mr.role_id
          where mr.organization_id = m.organization_id and mr.user_id = m.user_id)`
    : tx`null::jsonb`
  const [rows, [count]] = await Promise.all([
    tx<MemberRow[]>`
      select u.user_id, u.picture, u.name, u.email, ${roles} as roles
      from members m join users u on u.user_id = m.user_id
      where m.organization_id = ${organizationId}
        and ${page.after === undefined ? tx`true` : tx`m.user_id > ${page.after}`}
      order by ${page.kind === 'checkpoint' ? tx`m.user_id` : tx`m.created_at, m.user_id`}
      limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from members where organization_id = ${organizationId}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/**
 * All of them or none. Who is a member already stays one.
 *
 * @throws Problem `inexistent_user`
 */
export async function add(tx: Tx, environmentId: string, organizationId: string, userIds: string[]): Promise<void> {
  const known = await tx<{ user_id: string }[]>`
    select user_id from users where user_id = any(${userIds}) for key share`
  const missing = userIds.find((id) => !known.some((user) => user.user_id === id))
  if (missing !== undefined) throw problems.inexistent_user({ facts: { user_id: missing } })
  await tx`
    insert into members (environment_id, organization_id, user_id)
    select ${environmentId}, ${organizationId}, user_id from unnest(${userIds}::text[]) as given(user_id)
    on conflict do nothing`
}

/** Ends the memberships and everything granted in this organization: its refresh tokens work no more. */
export async function remove(tx: Tx, organizationId: string, userIds: string[], now: Date): Promise<void> {
  await tx`delete from members where organization_id = ${organizationId} and user_id = any(${userIds})`
  await revokeGrants(tx, tx`g.organization_id = ${organizationId} and g.user_id = any(${userIds})`, now)
}

export async function isMember(tx: Tx, organizationId: string, userId: string): Promise<boolean> {
  const rows = await tx`select 1 from members where organization_id = ${organizationId} and user_id = ${userId}`
  return rows.length > 0
}

export async function listRoles(tx: Tx, organizationId: string, userId: string, page: Page): Promise<Found<RoleRow>> {
  const rows = await tx<(RoleRow & { total: number })[]>`
    select r.id, r.name, r.description, count(*) over ()::int as total
    from member_roles mr join roles r on r.id = mr.role_id
    where mr.organization_id = ${organizationId} and mr.user_id = ${userId}
    order by r.name, r.id limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

/** @throws Problem `inexistent_role` for the first one that this environment does not have */
export async function requireRoles(tx: Tx, roleIds: string[]): Promise<void> {
  const known = await tx<{ id: string }[]>`select id from roles where id = any(${roleIds}) for key share`
  const missing = roleIds.find((id) => !known.some((role) => role.id === id))
  if (missing !== undefined) throw problems.inexistent_role({ facts: { role_id: missing } })
}

/** @throws Problem `inexistent_member`, `inexistent_role`, `too_many_member_roles` */
export async function addRoles(
  tx: Tx,
  environmentId: string,
  organizationId: string,
  userId: string,
  roleIds: string[],
): Promise<void> {
  // The member's row is held, so that two additions at once are counted one after the other.
  const member = await tx`
    select 1 from members where organization_id = ${organizationId} and user_id = ${userId} for update`
  if (member.length === 0) throw problems.inexistent_member()
  await requireRoles(tx, roleIds)
  await tx`
    insert into member_roles (environment_id, organization_id, user_id, role_id)
    select ${environmentId}, ${organizationId}, ${userId}, role_id from unnest(${roleIds}::text[]) as given(role_id)
    on conflict do nothing`
  const [count] = await tx<{ total: number }[]>`
    select count(*)::int as total from member_roles
    where organization_id = ${organizationId} and user_id = ${userId}`
  if (count!.total > ROLES_PER_MEMBER) throw problems.too_many_member_roles({ facts: { limit: ROLES_PER_MEMBER } })
}

export async function removeRoles(tx: Tx, organizationId: string, userId: string, roleIds: string[]): Promise<void> {
  await tx`
    delete from member_roles
    where organization_id = ${organizationId} and user_id = ${userId} and role_id = any(${roleIds})`
}
