import type { Tx } from '@tenantry/kernel/database/database.ts'
import { violates } from '../constraint.ts'
import { managementAudience } from '../management-api.ts'
import { DOMAINS_PER_ENVIRONMENT, originOf, problems } from './rules.ts'

export interface CustomDomainRow {
  id: string
  domain: string
  type: string
  status: 'pending_verification' | 'ready'
  record: string
  tls_policy: string
  domain_metadata: Record<string, string>
  is_default: boolean
  created_at: Date
}

const columns = (tx: Tx) => tx`
  id, domain, type, status, record, tls_policy, domain_metadata, is_default, created_at`

/** All of them: there are few, and Auth0's list has no pages. */
export const list = (tx: Tx): Promise<CustomDomainRow[]> => tx<CustomDomainRow[]>`
  select ${columns(tx)} from custom_domains order by domain limit ${DOMAINS_PER_ENVIRONMENT}`

/** @throws Problem `inexistent_custom_domain` */
export async function get(tx: Tx, id: string): Promise<CustomDomainRow> {
  const [row] = await tx<CustomDomainRow[]>`select ${columns(tx)} from custom_domains where id = ${id}`
  if (!row) throw problems.inexistent_custom_domain()
  return row
}

export async function findByDomain(tx: Tx, domain: string): Promise<CustomDomainRow | undefined> {
  const [row] = await tx<CustomDomainRow[]>`select ${columns(tx)} from custom_domains where domain = ${domain}`
  return row
}

export async function findDefault(tx: Tx): Promise<CustomDomainRow | undefined> {
  const [row] = await tx<CustomDomainRow[]>`select ${columns(tx)} from custom_domains where is_default`
  return row
}

/** Changes of one environment's domains wait for each other. */
export async function lockAll(tx: Tx, environmentId: string): Promise<void> {
  await tx`select 1 from environments where id = ${environmentId} for update`
}

/** The environment must be locked. @throws Problem `custom_domain_conflict`, `too_many_custom_domains` */
export async function insert(tx: Tx, environmentId: string, row: CustomDomainRow): Promise<void> {
  const [count] = await tx<{ total: number }[]>`select count(*)::int as total from custom_domains`
  if (count!.total >= DOMAINS_PER_ENVIRONMENT) {
    throw problems.too_many_custom_domains({ facts: { limit: DOMAINS_PER_ENVIRONMENT } })
  }
  await tx`insert into custom_domains ${tx({
    environment_id: environmentId,
    ...row,
    domain_metadata: tx.json(row.domain_metadata),
  })}`.catch(violates('custom_domain_once', problems.custom_domain_conflict))
}

export async function saveMetadata(tx: Tx, { id, domain_metadata }: CustomDomainRow): Promise<void> {
  await tx`update custom_domains set domain_metadata = ${tx.json(domain_metadata)} where id = ${id}`
}

/**
 * From here on the environment answers at the domain, and tokens carry it as their issuer. The environment must be
 * locked. Of several environments that prove a domain at the same moment one gets it.
 *
 * @throws Problem `custom_domain_conflict`, `custom_domain_identifies_api`
 */
export async function makeReady(tx: Tx, environmentId: string, { id, domain }: CustomDomainRow): Promise<void> {
  const origin = originOf(domain)
  // Tokens of such an API would become tokens for the Management API.
  const identifier = managementAudience(origin)
  const named = await tx`select 1 from resource_servers where identifier = ${identifier}`
  if (named.length > 0) throw problems.custom_domain_identifies_api({ facts: { identifier } })
  await tx`insert into environment_origins ${tx({ origin, environment_id: environmentId })}`.catch(
    violates('environment_origins_pkey', problems.custom_domain_conflict),
  )
  await tx`update environments set origins = origins || ${origin}::text where id = ${environmentId}`
  await tx`update custom_domains set status = 'ready' where id = ${id}`
}

/** undefined: the domain that the environment has anyway. The environment must be locked. */
export async function setDefault(tx: Tx, id: string | undefined): Promise<void> {
  await tx`update custom_domains set is_default = false where is_default`
  if (id !== undefined) await tx`update custom_domains set is_default = true where id = ${id}`
}

/** The environment stops answering there, in the same transaction. It must be locked. */
export async function remove(tx: Tx, environmentId: string, { id, domain, status }: CustomDomainRow): Promise<void> {
  if (status === 'ready') {
    const origin = originOf(domain)
    await tx`delete from environment_origins where origin = ${origin} and environment_id = ${environmentId}`
    await tx`update environments set origins = array_remove(origins, ${origin}::text) where id = ${environmentId}`
  }
  await tx`delete from custom_domains where id = ${id}`
}
