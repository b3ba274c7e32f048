/**
 * A permission is a scope of a resource server that a role or a user holds. Roles and users hold them in the same way, so
 * both use this.
 */
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import { canonicalAudience } from '../management-api.ts'
import type { PermissionName } from './schema.ts'

export const problems = defineProblems({
  inexistent_permission: { status: 400, title: "The API '{api}' has no permission '{name}'." },
})

/** As asked, with every alias of the Management API as the one that rows know. */
export const canonical = (environment: RequestEnvironment, permissions: PermissionName[]): PermissionName[] =>
  permissions.map(({ resource_server_identifier, permission_name }) => ({
    resource_server_identifier: canonicalAudience(environment, resource_server_identifier),
    permission_name,
  }))
