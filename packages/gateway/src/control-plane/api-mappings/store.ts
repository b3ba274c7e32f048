import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Page } from '../operation.ts'

export interface StoredMapping {
  domain_name: string
  id: string
  api_id: string
  stage: string
  mapping_key: string
  position: string
}

export const list = (tx: Tx, domainName: string, { after, limit }: Page): Promise<StoredMapping[]> =>
  tx`select * from gateway.api_mappings where domain_name = ${domainName} and position > ${after}
     order by position limit ${limit + 1}` as unknown as Promise<StoredMapping[]>

export const all = (tx: Tx, domainName: string): Promise<StoredMapping[]> =>
  tx`select * from gateway.api_mappings where domain_name = ${domainName}` as unknown as Promise<StoredMapping[]>

export const find = async (tx: Tx, domainName: string, id: string): Promise<StoredMapping | undefined> =>
  (await tx<StoredMapping[]>`select * from gateway.api_mappings where domain_name = ${domainName} and id = ${id}`)[0]

export const insert = async (
  tx: Tx,
  environmentId: string,
  mapping: Omit<StoredMapping, 'position'>,
): Promise<StoredMapping> =>
  (
    await tx<StoredMapping[]>`
      insert into gateway.api_mappings ${tx({ ...mapping, environment_id: environmentId })} returning *`
  )[0]!

export const update = (tx: Tx, { domain_name, id, api_id, stage, mapping_key }: StoredMapping) =>
  tx`update gateway.api_mappings set api_id = ${api_id}, stage = ${stage}, mapping_key = ${mapping_key}
     where domain_name = ${domain_name} and id = ${id}`

export const remove = (tx: Tx, domainName: string, id: string) =>
  tx`delete from gateway.api_mappings where domain_name = ${domainName} and id = ${id}`

/** Domains that lead to an API, or to one stage of it. */
export const domainsOf = async (tx: Tx, apiId: string, stage?: string): Promise<string[]> => {
  const rows = await tx<{ domain_name: string }[]>`
    select distinct domain_name from gateway.api_mappings
    where api_id = ${apiId} and (${stage ?? null}::text is null or stage = ${stage ?? null})`
  return rows.map((row) => row.domain_name)
}
