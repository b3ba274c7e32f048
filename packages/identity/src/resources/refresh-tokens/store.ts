import type { Tx } from '@tenantry/kernel/database/database.ts'
import { revokeGrants } from '../grants/store.ts'
import { changedTexts } from '../metadata.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'

/** A family of rotations as one token: who it is from its first row, how it is from the one that lives. */
export interface RefreshTokenRow {
  id: string
  /** By which a person's tokens are ordered. */
  grant_id: string
  user_id: string
  client_id: string
  session_id: string | null
  audience: string | null
  scope: string[]
  rotating: boolean
  created_at: Date
  idle_expires_at: Date | null
  expires_at: Date | null
  last_exchanged_at: Date | null
  initial_ip: string | null
  initial_user_agent: string | null
  last_ip: string | null
  last_user_agent: string | null
  refresh_token_metadata: Record<string, string> | null
}

const columns = (tx: Tx) => tx`
  t.id, t.grant_id, g.user_id, g.client_id, g.session_id, g.audience, g.scope, l.rotating, t.created_at, l.idle_expires_at,
  l.expires_at, coalesce(l.last_exchanged_at, case when l.previous_id is not null then l.created_at end) as last_exchanged_at,
  t.ip as initial_ip, t.user_agent as initial_user_agent, coalesce(l.last_ip, l.ip) as last_ip,
  case when l.last_ip is null then l.user_agent else l.last_user_agent end as last_user_agent, t.refresh_token_metadata`

/** The member of the family of grant `g` that can be exchanged now; without a time, that could be if it had not rested. */
const alive = (tx: Tx, now: Date | undefined) => tx`
  from refresh_tokens l
  where l.grant_id = g.id and l.rotated_at is null
    ${
      now === undefined
        ? tx``
        : tx`and (l.expires_at is null or l.expires_at > ${now}) and (l.idle_expires_at is null or l.idle_expires_at > ${now})`
    }
  order by l.created_at desc, l.id limit 1`

/** `t` the first of a family, `g` its grant, `l` the one that lives. */
const families = (tx: Tx, now: Date | undefined) => tx`
  refresh_tokens t
  join grants g on g.id = t.grant_id and g.revoked_at is null
  cross join lateral (select * ${alive(tx, now)}) l`

/** @throws Problem `inexistent_refresh_token` */
export async function get(tx: Tx, id: string, now: Date): Promise<RefreshTokenRow> {
  const [row] = await tx<RefreshTokenRow[]>`
    select ${columns(tx)} from ${families(tx, now)} where t.id = ${id} and t.previous_id is null`
  if (!row) throw problems.inexistent_refresh_token()
  return row
}

/** The family of a grant, whose token is being exchanged: whether it is over is known already, by the client's settings. */
export async function findOfGrant(tx: Tx, grantId: string): Promise<RefreshTokenRow | undefined> {
  const [row] = await tx<RefreshTokenRow[]>`
    select ${columns(tx)} from ${families(tx, undefined)} where t.grant_id = ${grantId} and t.previous_id is null`
  return row
}

/** @returns false, and nothing is changed, when there would be more texts than the API takes */
export async function changeMetadata(
  tx: Tx,
  grantId: string,
  change: Parameters<typeof changedTexts>[1],
): Promise<boolean> {
  const [row] = await tx<Pick<RefreshTokenRow, 'id' | 'refresh_token_metadata'>[]>`
    select id, refresh_token_metadata from refresh_tokens where grant_id = ${grantId} and previous_id is null for update`
  const changed = row && changedTexts(row.refresh_token_metadata, change)
  if (!changed) return false
  await tx`
    update refresh_tokens set refresh_token_metadata = ${changed.texts && tx.json(changed.texts)} where id = ${row.id}`
  return true
}

/** Ends a family earlier, never later; its rest too, until the next use. Tokens that were rotated may still be in their leeway. */
export const shorten = (
  tx: Tx,
  grantId: string,
  { expiresAt, idleExpiresAt }: { expiresAt?: Date; idleExpiresAt?: Date },
) => tx`
  update refresh_tokens set
    expires_at = least(expires_at, ${expiresAt ?? null}::timestamptz),
    idle_expires_at = least(idle_expires_at, ${idleExpiresAt ?? null}::timestamptz),
    idle_limit = coalesce(${idleExpiresAt ?? null}::timestamptz, idle_limit)
  where grant_id = ${grantId}`

export interface RefreshTokenFilter {
  user_id?: string | undefined
  client_id?: string | undefined
  rotating?: boolean | undefined
}

export async function list(tx: Tx, page: Page, filter: RefreshTokenFilter, now: Date): Promise<Found<RefreshTokenRow>> {
  const where = tx`t.previous_id is null
    ${filter.user_id === undefined ? tx`` : tx`and g.user_id = ${filter.user_id}`}
    ${filter.client_id === undefined ? tx`` : tx`and g.client_id = ${filter.client_id}`}
    ${filter.rotating === undefined ? tx`` : tx`and l.rotating = ${filter.rotating}`}`
  const [rows, [count]] = await Promise.all([
    filter.user_id === undefined
      ? tx<RefreshTokenRow[]>`
          select ${columns(tx)} from ${families(tx, now)} where ${where}
          order by t.id limit ${fetchLimit(page)} offset ${page.offset}`
      : pageOfPerson(tx, page, { ...filter, user_id: filter.user_id }, now),
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from ${families(tx, now)} where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/**
 * One person's tokens in the order of their grants. The page is counted off along the index first, or the planner, which
 * cannot know how few rows it will need, reads and sorts everything that the person ever authorized.
 */
const pageOfPerson = (
  tx: Tx,
  page: Page,
  { user_id, client_id, rotating }: RefreshTokenFilter & { user_id: string },
  now: Date,
) => tx<RefreshTokenRow[]>`
  with page as materialized (
    select g.id from grants g
    where g.user_id = ${user_id} and g.revoked_at is null
      ${client_id === undefined ? tx`` : tx`and g.client_id = ${client_id}`}
      ${page.after === undefined ? tx`` : tx`and g.id > ${page.after}`}
      and ${
        rotating === undefined
          ? tx`(select l.id ${alive(tx, now)}) is not null`
          : tx`(select l.rotating ${alive(tx, now)}) = ${rotating}`
      }
    order by g.id limit ${fetchLimit(page)} offset ${page.offset})
  select ${columns(tx)} from ${families(tx, now)}
  where t.previous_id is null and t.grant_id = any (array(select id from page)) order by g.id`

/** @throws Problem `inexistent_refresh_token` */
export async function saveMetadata(
  tx: Tx,
  id: string,
  metadata: Record<string, string> | null,
  now: Date,
): Promise<void> {
  await get(tx, id, now)
  await tx`update refresh_tokens set refresh_token_metadata = ${metadata && tx.json(metadata)} where id = ${id}`
}

/** Ends a family: no member of it is exchanged any more. @throws Problem `inexistent_refresh_token` */
export async function revoke(tx: Tx, id: string, now: Date): Promise<RefreshTokenRow> {
  const row = await get(tx, id, now)
  const ended = await revokeGrants(tx, tx`g.id = (select grant_id from refresh_tokens where id = ${id})`, now)
  // Somebody else was faster.
  if (ended.length === 0) throw problems.inexistent_refresh_token()
  return row
}

/** Ends those of the given ids that exist. */
export const revokeIds = (tx: Tx, ids: string[], now: Date) =>
  revokeGrants(
    tx,
    tx`g.id in (select grant_id from refresh_tokens where id = any (${ids}::text[]) and previous_id is null)`,
    now,
  )

export const revokeMatching = (
  tx: Tx,
  filter: { user_id?: string | undefined; client_id?: string | undefined; audience?: string | undefined },
  now: Date,
) =>
  revokeGrants(
    tx,
    tx`exists (select from refresh_tokens t where t.grant_id = g.id)
      ${filter.user_id === undefined ? tx`` : tx`and g.user_id = ${filter.user_id}`}
      ${filter.client_id === undefined ? tx`` : tx`and g.client_id = ${filter.client_id}`}
      ${filter.audience === undefined ? tx`` : tx`and g.resource_server_identifier = ${filter.audience}`}`,
    now,
  )
