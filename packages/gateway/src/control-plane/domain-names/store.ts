import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Sql } from 'postgres'
import type { Page } from '../operation.ts'
import type { Settings } from '../parts-store.ts'

export interface StoredDomainName {
  name: string
  settings: Settings
  tags: Record<string, string>
  position: string
  created_at: Date
}

export const list = (tx: Tx, { after, limit }: Page): Promise<StoredDomainName[]> =>
  tx`select * from gateway.domain_names where position > ${after}
     order by position limit ${limit + 1}` as unknown as Promise<StoredDomainName[]>

/** Locked: changes to a domain and its mappings follow one another. */
export const lock = async (tx: Tx, name: string): Promise<StoredDomainName | undefined> =>
  (await tx<StoredDomainName[]>`select * from gateway.domain_names where name = ${name} for update`)[0]

export const find = async (tx: Tx, name: string): Promise<StoredDomainName | undefined> =>
  (await tx<StoredDomainName[]>`select * from gateway.domain_names where name = ${name}`)[0]

export const count = async (tx: Tx): Promise<number> =>
  (await tx<{ total: number }[]>`select count(*)::int as total from gateway.domain_names`)[0]!.total

/** `undefined` when the name has an owner, in whatever environment. */
export const insert = async (
  tx: Tx,
  domain: { environment_id: string; name: string; settings: Settings; tags: Record<string, string>; created_at: Date },
): Promise<StoredDomainName | undefined> =>
  (
    await tx<StoredDomainName[]>`
      insert into gateway.domain_names ${tx({ ...domain, settings: tx.json(domain.settings), tags: tx.json(domain.tags) })}
      on conflict (name) do nothing returning *`
  )[0]

/** Until the end of the transaction nobody else decides about a wildcard and the names under it. */
export const lockNames = (tx: Tx, wildcard: string) =>
  tx`select pg_advisory_xact_lock(hashtextextended(${wildcard}, 0))`

/** Across environments: whether another one has the wildcard, or for a wildcard, a name under it. */
export const isForeign = async (sql: Sql, environmentId: string, name: string, wildcard: string): Promise<boolean> =>
  (
    await sql`
      select from gateway.domain_names
      where environment_id <> ${environmentId}
        and (name = ${wildcard} or (${name} = ${wildcard} and '*' || substring(name from '[.].*$') = ${wildcard}))
      limit 1`
  ).length > 0

export const update = (tx: Tx, name: string, settings: Settings) =>
  tx`update gateway.domain_names set settings = ${tx.json(settings)} where name = ${name}`

export const setTags = (tx: Tx, name: string, tags: Record<string, string>) =>
  tx`update gateway.domain_names set tags = ${tx.json(tags)} where name = ${name}`

export const remove = (tx: Tx, name: string) => tx`delete from gateway.domain_names where name = ${name}`
