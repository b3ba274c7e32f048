import type { Tx } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import * as consents from './consents/store.ts'

export const problems = defineProblems({
  inexistent_grant: { status: 404, title: 'The grant does not exist.' },
})

/** What a person has authorized a client to do at an API, in one organization or outside of all. */
export interface UserGrantRow {
  id: string
  user_id: string
  client_id: string
  audience: string | null
  organization_id: string | null
  scope: string[]
}

export interface UserGrantFilter {
  user_id?: string | undefined
  client_id?: string | undefined
  /** Null is what a sign-in without an API is for. */
  audience?: string | null | undefined
}

/**
 * Whether anything can still be minted from `g`. Values and no `exists`, which the planner may answer for all grants at
 * once where a page of them is wanted.
 */
const alive = (tx: Tx, now: Date) => tx`
  g.revoked_at is null and coalesce(
    (select t.id from refresh_tokens t where t.grant_id = g.id and t.rotated_at is null
      and (t.expires_at is null or t.expires_at > ${now}) and (t.idle_expires_at is null or t.idle_expires_at > ${now})
      limit 1),
    (select c.grant_id from codes c where c.grant_id = g.id and c.used_at is null and c.expires_at > ${now} limit 1)
  ) is not null`

/**
 * Ends grants: their codes and whole families of refresh tokens. Access tokens already out live until they expire. Whoever
 * makes another grant out of one of them holds that one: it is waited for, and the second statement, which sees what was
 * made, ends that too.
 *
 * @param which says it of `g`
 * @returns the ids of those that lived
 */
export async function revokeGrants(tx: Tx, which: ReturnType<Tx>, now: Date): Promise<{ id: string }[]> {
  await tx`select from grants g where g.revoked_at is null and ${which} for update`
  return tx<{ id: string }[]>`
    update grants g set revoked_at = ${now} where g.revoked_at is null and ${which} returning g.id`
}

/** The same for one, which nothing else is made from that its end is to reach. */
export const revokeGrant = (tx: Tx, grantId: string, now: Date) => tx`
  update grants set revoked_at = ${now} where id = ${grantId} and revoked_at is null`

/**
 * Groups come in the order of an index, so that a page of them is counted off and the rest never read. What was agreed to
 * and is not in use now is merged into them, page by page too.
 */
export async function list(tx: Tx, page: Page, filter: UserGrantFilter, now: Date): Promise<Found<UserGrantRow>> {
  const { user_id, client_id, audience } = filter
  const where = tx`${alive(tx, now)}
    ${user_id === undefined ? tx`` : tx`and g.user_id = ${user_id}`}
    ${client_id === undefined ? tx`` : tx`and g.client_id = ${client_id}`}
    ${audience === undefined ? tx`` : audience === null ? tx`and g.audience is null` : tx`and g.audience = ${audience}`}`
  const key = tx`g.user_id, g.client_id, g.audience, g.organization_id`
  const unused = tx`
    not exists (select from grants g where g.user_id = c.user_id and g.client_id = c.client_id
      and coalesce(g.audience, '') = c.audience and coalesce(g.organization_id, '') = c.organization_id
      and ${alive(tx, now)})
    ${user_id === undefined ? tx`` : tx`and c.user_id = ${user_id}`}
    ${client_id === undefined ? tx`` : tx`and c.client_id = ${client_id}`}
    ${audience === undefined ? tx`` : tx`and c.audience = ${audience ?? ''}`}`
  const most = page.offset + fetchLimit(page)
  const [rows, [count]] = await Promise.all([
    tx<UserGrantRow[]>`
      select * from (
        (select ${key}, (array_agg(g.id order by g.created_at, g.id))[1] as id,
          coalesce(array_agg(distinct s) filter (where s is not null), '{}') as scope
        from grants g left join lateral unnest(g.scope) s on true where ${where}
        group by ${key} order by ${key} limit ${most})
        union all
        (select c.user_id, c.client_id, nullif(c.audience, '') as audience,
          nullif(c.organization_id, '') as organization_id, c.id, c.scope
        from consents c where ${unused}
        order by c.user_id, c.client_id, nullif(c.audience, ''), nullif(c.organization_id, '') limit ${most})
      ) as g order by ${key} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`
          select ((select count(*) from (select from grants g where ${where} group by ${key}) as grouped)
            + (select count(*) from consents c where ${unused}))::int as total`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/**
 * Revokes what stands behind an id: every authorization of that person, client, API and organization.
 *
 * @throws Problem `inexistent_grant`
 */
export async function revoke(tx: Tx, id: string, now: Date): Promise<void> {
  const agreed = await consents.find(tx, id)
  const [inUse] = await tx<consents.ConsentKey[]>`
    select g.user_id, g.client_id, g.audience, g.organization_id from grants g where g.id = ${id} and ${alive(tx, now)}`
  const key = agreed ?? inUse
  if (!key) throw problems.inexistent_grant()
  await consents.withdraw(tx, key)
  const ended = await revokeGrants(
    tx,
    tx`g.user_id = ${key.user_id} and g.client_id = ${key.client_id}
      and g.audience is not distinct from ${key.audience}
      and g.organization_id is not distinct from ${key.organization_id}`,
    now,
  )
  // Somebody else was faster.
  if (!agreed && ended.length === 0) throw problems.inexistent_grant()
}

export async function revokeAllOf(tx: Tx, userId: string, now: Date): Promise<void> {
  await consents.withdrawAllOf(tx, userId)
  await revokeGrants(tx, tx`g.user_id = ${userId}`, now)
}
