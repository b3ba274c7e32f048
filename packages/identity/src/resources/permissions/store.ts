import type { Tx } from '@tenantry/kernel/database/database.ts'
import { LARGEST_PERMISSIONS, problems } from './rules.ts'
import type { PermissionName } from './schema.ts'

export interface PermissionRow extends PermissionName {
  resource_server_name: string | null
  description: string | null
}

/** Parallel arrays for `unnest`, sorted so that two writers lock in the same order. */
export function unzip(permissions: PermissionName[]): { apis: string[]; names: string[] } {
  const sorted = permissions.toSorted(
    (a, b) =>
      Number(a.resource_server_identifier > b.resource_server_identifier) -
      Number(a.resource_server_identifier < b.resource_server_identifier),
  )
  return {
    apis: sorted.map((permission) => permission.resource_server_identifier),
    names: sorted.map((permission) => permission.permission_name),
  }
}

/**
 * Checks that every permission exists, and keeps the APIs from dropping any until the transaction ends.
 *
 * @throws Problem `inexistent_permission`
 */
export async function lockPermissions(tx: Tx, permissions: PermissionName[]): Promise<void> {
  const { apis, names } = unzip(permissions)
  await tx`select from resource_servers where identifier = any (${apis}::text[]) order by identifier for share`
  const [missing] = await tx<{ api: string; name: string }[]>`
    select asked.api, asked.name from unnest(${apis}::text[], ${names}::text[]) as asked (api, name)
    where not exists (
      select from resource_servers s, jsonb_array_elements(s.scopes) scope
      where s.identifier = asked.api and scope ->> 'value' = asked.name)
    limit 1`
  if (missing) throw problems.inexistent_permission({ facts: { ...missing } })
}

/**
 * Whoever configures learns of it, and not everybody who signs in: for them no token would be issued. What several roles add
 * up to is known only then.
 *
 * @throws Problem `permissions_too_large`
 */
export async function refuseOversized(
  tx: Tx,
  { roleId, userId }: { roleId?: string; userId?: string },
  permissions: PermissionName[],
): Promise<void> {
  const { apis } = unzip(permissions)
  // In JSON each name has two quotation marks and a comma.
  const [oversized] = await tx<{ api: string; bytes: number }[]>`
    select s.identifier as api, sum(octet_length(p.permission_name) + 3)::int as bytes
    from (
      select resource_server_identifier, permission_name from role_permissions where role_id = ${roleId ?? null}
      union all
      select resource_server_identifier, permission_name from user_permissions where user_id = ${userId ?? null}) p
    join resource_servers s on s.identifier = p.resource_server_identifier
    where s.identifier = any (${apis}::text[]) and s.token_dialect in ('access_token_authz', 'rfc9068_profile_authz')
    group by s.identifier having sum(octet_length(p.permission_name) + 3) > ${LARGEST_PERMISSIONS} limit 1`
  if (oversized) throw problems.permissions_too_large({ facts: { ...oversized, limit: LARGEST_PERMISSIONS } })
}

/** Columns of a permission `p` joined with its API `s`. */
export const columns = (tx: Tx) => tx`
  p.resource_server_identifier, p.permission_name, s.name as resource_server_name,
  (select scope ->> 'description' from jsonb_array_elements(s.scopes) scope
   where scope ->> 'value' = p.permission_name limit 1) as description`

/** What these roles allow at one API. */
export const listScopes = async (tx: Tx, roleIds: string[], audience: string): Promise<string[]> => {
  const rows = await tx<{ name: string }[]>`
    select distinct permission_name as name from role_permissions
    where role_id = any (${roleIds}::text[]) and resource_server_identifier = ${audience} order by name`
  return rows.map(({ name }) => name)
}
