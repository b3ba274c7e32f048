import type { Tx } from '@tenantry/kernel/database/database.ts'
import { violates } from '../../constraint.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { DOMAINS_PER_ORGANIZATION, problems } from './rules.ts'
import type { UpdateDomain } from './schema.ts'

export interface DomainRow {
  id: string
  organization_id: string
  domain: string
  status: 'pending' | 'verified'
  /** Whether a person whose address is in this domain finds the organization by it. */
  use_for_organization_discovery: boolean
  verification_txt: string
  created_at: Date
}

const columns = (tx: Tx) => tx`
  id, organization_id, domain, status, use_for_organization_discovery, verification_txt, created_at`

export async function list(tx: Tx, organizationId: string, page: Page): Promise<Found<DomainRow>> {
  const rows = await tx<DomainRow[]>`
    select ${columns(tx)} from organization_discovery_domains
    where organization_id = ${organizationId} ${page.after === undefined ? tx`` : tx`and id > ${page.after}`}
    order by id limit ${fetchLimit(page)}`
  return { rows, total: 0 }
}

/** By id or by the domain itself. @throws Problem `inexistent_discovery_domain` */
export async function get(
  tx: Tx,
  organizationId: string,
  named: { id: string } | { domain: string },
): Promise<DomainRow> {
  const [row] = await tx<DomainRow[]>`
    select ${columns(tx)} from organization_discovery_domains
    where organization_id = ${organizationId}
      and ${'id' in named ? tx`id = ${named.id}` : tx`domain = ${named.domain.toLowerCase()}`}`
  if (!row) throw problems.inexistent_discovery_domain()
  return row
}

/**
 * The organization must be locked.
 *
 * @throws Problem `discovery_domain_conflict`, `discovery_domain_taken`, `too_many_discovery_domains`
 */
export async function insert(tx: Tx, environmentId: string, row: DomainRow): Promise<void> {
  const [count] = await tx<{ total: number }[]>`
    select count(*)::int as total from organization_discovery_domains where organization_id = ${row.organization_id}`
  if (count!.total >= DOMAINS_PER_ORGANIZATION) {
    throw problems.too_many_discovery_domains({ facts: { limit: DOMAINS_PER_ORGANIZATION } })
  }
  await tx`insert into organization_discovery_domains ${tx({ environment_id: environmentId, ...row })}`
    .catch(violates('discovery_domain_once', problems.discovery_domain_conflict))
    .catch(violates('discovery_domain_verified', problems.discovery_domain_taken))
}

/** @throws Problem `inexistent_discovery_domain`, `discovery_domain_taken` */
export async function update(tx: Tx, organizationId: string, id: string, change: UpdateDomain): Promise<DomainRow> {
  const [row] = await tx<DomainRow[]>`
    update organization_discovery_domains set
      status = coalesce(${change.status ?? null}, status),
      use_for_organization_discovery =
        coalesce(${change.use_for_organization_discovery ?? null}, use_for_organization_discovery)
    where organization_id = ${organizationId} and id = ${id}
    returning ${columns(tx)}`.catch(violates('discovery_domain_verified', problems.discovery_domain_taken))
  if (!row) throw problems.inexistent_discovery_domain()
  return row
}

export async function remove(tx: Tx, organizationId: string, id: string): Promise<boolean> {
  const gone = await tx`
    delete from organization_discovery_domains where organization_id = ${organizationId} and id = ${id} returning 1`
  return gone.length > 0
}
