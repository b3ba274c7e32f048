import type { Tx } from '@tenantry/kernel/database/database.ts'
import { problems as clientProblems } from '../clients/rules.ts'
import { violates } from '../constraint.ts'
import { type OrganizationRow, columns as organizationColumns } from '../organizations/store.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'

export interface ClientGrantRow {
  id: string
  client_id: string
  audience: string
  scope: string[]
  allow_all_scopes: boolean
  organization_usage: string
  allow_any_organization: boolean
  subject_type: string
  created_at: Date
  updated_at: Date
}

export const columns = (tx: Tx) => tx`
  g.id, g.client_id, g.audience, g.scope, g.allow_all_scopes, g.organization_usage, g.allow_any_organization,
  g.subject_type, g.created_at, g.updated_at`

/** @throws Problem `inexistent_client_grant` */
export async function get(tx: Tx, id: string): Promise<ClientGrantRow> {
  const [row] = await tx<ClientGrantRow[]>`select ${columns(tx)} from client_grants g where g.id = ${id}`
  if (!row) throw problems.inexistent_client_grant()
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_client_grant` */
export async function lock(tx: Tx, id: string): Promise<ClientGrantRow> {
  const [row] = await tx<ClientGrantRow[]>`select ${columns(tx)} from client_grants g where g.id = ${id} for update`
  if (!row) throw problems.inexistent_client_grant()
  return row
}

export interface ClientGrantListFilter {
  audience?: string | undefined
  client_id?: string | undefined
  allow_any_organization?: boolean | undefined
  subject_type?: string | undefined
}

export async function list(tx: Tx, page: Page, filter: ClientGrantListFilter): Promise<Found<ClientGrantRow>> {
  const { audience, client_id, allow_any_organization: any, subject_type } = filter
  // Only what was asked stands in the statement, so that each question finds its index.
  const where = tx`true
    ${audience === undefined ? tx`` : tx`and g.audience = ${audience}`}
    ${client_id === undefined ? tx`` : tx`and g.client_id = ${client_id}`}
    ${subject_type === undefined ? tx`` : tx`and g.subject_type = ${subject_type}`}
    ${any === undefined ? tx`` : tx`and g.allow_any_organization = ${any}`}`
  const [rows, [count]] = await Promise.all([
    tx<ClientGrantRow[]>`
      select ${columns(tx)} from client_grants g
      where ${where} ${page.after === undefined ? tx`` : tx`and g.id > ${page.after}`}
      order by ${page.kind === 'checkpoint' ? tx`g.id` : tx`g.created_at, g.id`}
      limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from client_grants g where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `inexistent_client`, `client_grant_conflict` */
export async function insert(tx: Tx, environmentId: string, row: ClientGrantRow): Promise<void> {
  await tx`insert into client_grants ${tx({ environment_id: environmentId, ...row })}`
    .catch(violates('client_grants_environment_id_client_id_fkey', clientProblems.inexistent_client))
    .catch(violates('client_grant_once', problems.client_grant_conflict))
}

export async function save(tx: Tx, row: ClientGrantRow): Promise<void> {
  const { id, client_id: _, audience: __, subject_type: ___, ...rest } = row
  await tx`update client_grants set ${tx(rest)} where id = ${id}`
}

export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from client_grants where id = ${id} returning 1`
  return gone.length > 0
}

/** The organizations that a grant is bound to by name. */
export async function listOrganizations(tx: Tx, id: string, page: Page): Promise<Found<OrganizationRow>> {
  const [rows, [count]] = await Promise.all([
    tx<OrganizationRow[]>`
      select ${organizationColumns(tx)}
      from organization_client_grants og join organizations o using (environment_id, organization_id)
      where og.grant_id = ${id} ${page.after === undefined ? tx`` : tx`and og.organization_id > ${page.after}`}
      order by og.organization_id limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`
          select count(*)::int as total from organization_client_grants where grant_id = ${id}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}
