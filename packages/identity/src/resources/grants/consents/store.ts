/** What people have agreed to on a page, as their clients asked for it. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'

/** Who lets which client do something, at which API and in which organization; null stands for none. */
export interface ConsentKey {
  user_id: string
  client_id: string
  audience: string | null
  organization_id: string | null
}

const isOf = (tx: Tx, key: ConsentKey) => tx`
  user_id = ${key.user_id} and client_id = ${key.client_id} and audience = ${key.audience ?? ''}
  and organization_id = ${key.organization_id ?? ''}`

/** The scopes that were agreed to; no row where nothing ever was. */
export const agreed = (tx: Tx, key: ConsentKey) => tx<{ scope: string[] }[]>`
  select scope from consents where ${isOf(tx, key)}`

/** Adds to what was agreed before. */
export async function agree(tx: Tx, environmentId: string, key: ConsentKey, scope: string[], now: Date): Promise<void> {
  await tx`
    insert into consents ${tx({
      environment_id: environmentId,
      id: newId.uuid(),
      ...key,
      audience: key.audience ?? '',
      organization_id: key.organization_id ?? '',
      scope,
      created_at: now,
      updated_at: now,
    })}
    on conflict (environment_id, user_id, client_id, audience, organization_id) do update set
      scope = array(select distinct unnest(consents.scope || excluded.scope) order by 1), updated_at = excluded.updated_at`
}

export const withdraw = (tx: Tx, key: ConsentKey) => tx`delete from consents where ${isOf(tx, key)}`

export const withdrawAllOf = (tx: Tx, userId: string) => tx`delete from consents where user_id = ${userId}`

/** @returns what a consent is about, by its id */
export async function find(tx: Tx, id: string): Promise<ConsentKey | undefined> {
  const [row] = await tx<ConsentKey[]>`
    select user_id, client_id, nullif(audience, '') as audience, nullif(organization_id, '') as organization_id
    from consents where id = ${id}`
  return row
}
