import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { OrganizationConfiguration } from '../../../oauth/configuration.ts'

export interface ReachableRow {
  organization_id: string
  display_name: string
  branding: OrganizationConfiguration['branding']
  /** Names of the person's roles there. */
  roles: string[]
  /** Of all that fit. */
  total: number
}

/**
 * Where a person can go with a client: organizations they are a member of, and the one that takes in whoever signs in
 * through this connection, if it is the only one that does. It must let its members use the client, and have a
 * connection in common with it.
 */
export const reachable = (
  tx: Tx,
  who: { userId: string; connectionId: string; clientId: string },
  which: { id?: string | undefined; search?: string | undefined; limit: number; offset: number },
) => tx<ReachableRow[]>`
  select o.organization_id, o.display_name, o.branding, count(*) over ()::int as total,
    array(select r.name from member_roles mr join roles r on r.id = mr.role_id
      where mr.organization_id = o.organization_id and mr.user_id = ${who.userId} order by r.name) as roles
  from organizations o
  where o.organization_id in (
      select m.organization_id from members m where m.user_id = ${who.userId}
      union all
      select min(oc.organization_id) from organization_connections oc
      where oc.connection_id = ${who.connectionId} and oc.assign_membership_on_login and oc.is_enabled
      having count(*) = 1)
    and o.suspended_at is null
    and (not o.is_app_entitlement_active or exists (
      select from organization_clients c
      where c.organization_id = o.organization_id and c.client_id = ${who.clientId} and c.use_for_member_access))
    and exists (
      select from organization_connections oc join connection_clients cc on cc.connection_id = oc.connection_id
      where oc.organization_id = o.organization_id and oc.is_enabled and cc.client_id = ${who.clientId})
    and ${which.id === undefined ? tx`true` : tx`o.organization_id = ${which.id}`}
    and ${which.search ? tx`position(${which.search.toLowerCase()} in lower(o.display_name || ' ' || o.name)) > 0` : tx`true`}
  order by lower(o.display_name), o.organization_id
  limit ${which.limit} offset ${which.offset}`
