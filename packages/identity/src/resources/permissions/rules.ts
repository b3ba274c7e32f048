/**
 * A permission is a scope of a resource server that a role or a user holds. Roles and users hold them in the same way, so
 * both use this.
 */
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import { canonicalAudience, managementAudience } from '../management-api.ts'
import { managementScopes, unusedManagementScopes } from '../management-scopes.ts'
import type { PermissionName } from './schema.ts'

export const problems = defineProblems({
  inexistent_permission: { status: 400, title: "The API '{api}' has no permission '{name}'." },
  permissions_too_large: {
    status: 400,
    title:
      "The permissions at the API '{api}' would take {bytes} bytes of a token, and {limit} fit. Give fewer, or choose a token_dialect without permissions for the API.",
  },
  beyond_own_scopes: {
    status: 403,
    title: 'Nobody gives away more of the Management API than they hold. This token lacks: {scopes}',
  },
})

/**
 * As much as one role, or one person directly, may hold at an API whose tokens list permissions: what is left of a token of
 * nine kilobytes (`oauth/tokens/issue.ts`) in base64, beside its signature and its other claims.
 */
export const LARGEST_PERMISSIONS = 6000

/** As asked, with every alias of the Management API as the one that rows know. */
export const canonical = (environment: RequestEnvironment, permissions: PermissionName[]): PermissionName[] =>
  permissions.map(({ resource_server_identifier, permission_name }) => ({
    resource_server_identifier: canonicalAudience(environment, resource_server_identifier),
    permission_name,
  }))

/** Whoever asks, and how much of the Management API they hold. */
interface Asker {
  environment: RequestEnvironment
  callerScopes: ReadonlySet<string>
}

/** Whether this is the API by which the environment itself is managed. */
export const isManagement = (environment: RequestEnvironment, audience: string): boolean =>
  canonicalAudience(environment, audience) === managementAudience(environment.origins[0]!)

/**
 * Who may edit roles or grants would otherwise hold everything a moment later: by a role of their own, or by a client.
 * A scope that opens nothing yet may be given by those who hold all the others: what it will open one day is theirs too.
 *
 * @param scopes of the Management API
 * @throws Problem `beyond_own_scopes`
 */
export function refuseBeyondOwn({ callerScopes }: Asker, scopes: Iterable<string>): void {
  const holdsAll = managementScopes.every((scope) => callerScopes.has(scope))
  const beyond = [...scopes].filter(
    (scope) => !callerScopes.has(scope) && !(holdsAll && unusedManagementScopes.includes(scope)),
  )
  if (beyond.length > 0) throw problems.beyond_own_scopes({ facts: { scopes: beyond.slice(0, 10).join(' ') } })
}

/** The permissions as rows know them. @throws Problem `beyond_own_scopes` */
export function givable(asker: Asker, permissions: PermissionName[]): PermissionName[] {
  const asked = canonical(asker.environment, permissions)
  const managing = asked.filter(({ resource_server_identifier: api }) => isManagement(asker.environment, api))
  refuseBeyondOwn(
    asker,
    managing.map(({ permission_name }) => permission_name),
  )
  return asked
}
