import type { Tx } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { type ClientGrantRow, columns } from '../../client-grants/store.ts'
import { violates } from '../../constraint.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'

export const problems = defineProblems({
  client_grant_not_bound: { status: 404, title: 'This client grant is not bound to the organization.' },
  client_grant_already_bound: { status: 409, title: 'This client grant is already bound to the organization.' },
  organizations_denied: {
    status: 400,
    title: 'This client grant does not allow organizations (organization_usage: deny).',
  },
})

export interface BoundGrantFilter {
  audience?: string | undefined
  client_id?: string | undefined
  ids?: string[] | undefined
}

export async function list(
  tx: Tx,
  organizationId: string,
  page: Page,
  filter: BoundGrantFilter,
): Promise<Found<ClientGrantRow>> {
  const rows = await tx<(ClientGrantRow & { total: number })[]>`
    select ${columns(tx)}, count(*) over ()::int as total
    from organization_client_grants og join client_grants g on g.id = og.grant_id
    where og.organization_id = ${organizationId}
      and (${filter.audience ?? null}::text is null or g.audience = ${filter.audience ?? null})
      and (${filter.client_id ?? null}::text is null or g.client_id = ${filter.client_id ?? null})
      and (${filter.ids ?? null}::text[] is null or g.id = any (${filter.ids ?? null}::text[]))
    order by g.created_at, g.id limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

/** @throws Problem `client_grant_already_bound` */
export async function insert(tx: Tx, environmentId: string, organizationId: string, grantId: string): Promise<void> {
  await tx`insert into organization_client_grants ${tx({
    environment_id: environmentId,
    organization_id: organizationId,
    grant_id: grantId,
  })}`.catch(violates('organization_client_grants_pkey', problems.client_grant_already_bound))
}

export async function remove(tx: Tx, organizationId: string, grantId: string): Promise<boolean> {
  const gone = await tx`
    delete from organization_client_grants
    where organization_id = ${organizationId} and grant_id = ${grantId} returning 1`
  return gone.length > 0
}
