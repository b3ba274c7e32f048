import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { unusedManagementScopes } from '../management-scopes.ts'
import type { ResourceServerRow } from '../resource-servers/store.ts'
import { type CreateClientGrant, inert, type UpdateClientGrant } from './schema.ts'
import type { ClientGrantRow } from './store.ts'

export const problems = defineProblems({
  inexistent_client_grant: { status: 404, title: 'The client grant does not exist.' },
  client_grant_conflict: { status: 409, title: 'A client grant for this client and audience already exists.' },
  unknown_scope: { status: 400, title: "The API '{audience}' has no scope '{scope}'." },
})

/** @throws Problem `operation_not_supported`, `unknown_scope` */
export function granted(asked: CreateClientGrant, api: ResourceServerRow, now: Date): ClientGrantRow {
  refuseActive(inert, asked)
  const type = asked.subject_type ?? 'client'
  if (type === 'anonymous_user') throw unsupported(`subject_type: ${type}`)
  refuseOrganizations(type, asked)
  return {
    id: newId.clientGrant(),
    client_id: asked.client_id,
    audience: api.identifier,
    scope: offered(asked.scope ?? [], api),
    allow_all_scopes: asked.allow_all_scopes ?? false,
    organization_usage: asked.organization_usage ?? 'deny',
    allow_any_organization: asked.allow_any_organization ?? false,
    subject_type: type,
    created_at: now,
    updated_at: now,
  }
}

/** @throws Problem `operation_not_supported`, `unknown_scope` */
export function changed(
  row: ClientGrantRow,
  change: UpdateClientGrant,
  api: ResourceServerRow,
  now: Date,
): ClientGrantRow {
  refuseActive(inert, change)
  refuseOrganizations(row.subject_type, change)
  return {
    ...row,
    scope: change.scope ? offered(change.scope, api) : row.scope,
    allow_all_scopes: change.allow_all_scopes ?? row.allow_all_scopes,
    organization_usage: change.organization_usage ?? row.organization_usage,
    allow_any_organization: change.allow_any_organization ?? row.allow_any_organization,
    updated_at: now,
  }
}

/** A person's organization is in their token; no grant chooses it. */
function refuseOrganizations(type: string, asked: UpdateClientGrant): void {
  if (type !== 'user') return
  if (asked.allow_any_organization) throw unsupported('allow_any_organization')
  if (asked.organization_usage && asked.organization_usage !== 'deny') throw unsupported('organization_usage')
}

/** The scopes, each once, all of which the API has. */
function offered(scopes: string[], api: ResourceServerRow): string[] {
  const known = new Set(api.scopes.map((scope) => scope.value).concat(api.is_system ? unusedManagementScopes : []))
  const unknown = scopes.find((scope) => !known.has(scope))
  if (unknown !== undefined) {
    throw problems.unknown_scope({ facts: { audience: api.identifier, scope: unknown } })
  }
  return [...new Set(scopes)]
}

/** A client grant as the API shows it. */
export function shown(row: ClientGrantRow) {
  const { created_at: _, updated_at: __, ...rest } = row
  return rest
}
