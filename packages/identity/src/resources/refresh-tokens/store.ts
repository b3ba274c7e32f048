import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'

/** A family of rotations as one token: who it is from its first row, how it is from the one that lives. */
export interface RefreshTokenRow {
  id: string
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
  t.id, g.user_id, g.client_id, g.session_id, g.audience, g.scope, l.rotating, t.created_at, l.idle_expires_at,
  l.expires_at, coalesce(l.last_exchanged_at, case when l.previous_id is not null then l.created_at end) as last_exchanged_at,
  t.ip as initial_ip, t.user_agent as initial_user_agent, coalesce(l.last_ip, l.ip) as last_ip,
  case when l.last_ip is null then l.user_agent else l.last_user_agent end as last_user_agent, t.refresh_token_metadata`

/** `t` the first of a family, `g` its grant, `l` the member that can be exchanged now. */
const families = (tx: Tx, now: Date) => tx`
  refresh_tokens t
  join grants g on g.id = t.grant_id and g.revoked_at is null
  cross join lateral (
    select * from refresh_tokens l
    where l.grant_id = t.grant_id and l.rotated_at is null
      and (l.expires_at is null or l.expires_at > ${now}) and (l.idle_expires_at is null or l.idle_expires_at > ${now})
    order by l.created_at desc, l.id limit 1) l`

/** @throws Problem `inexistent_refresh_token` */
export async function get(tx: Tx, id: string, now: Date): Promise<RefreshTokenRow> {
  const [row] = await tx<RefreshTokenRow[]>`
    select ${columns(tx)} from ${families(tx, now)} where t.id = ${id} and t.previous_id is null`
  if (!row) throw problems.inexistent_refresh_token()
  return row
}

export interface RefreshTokenFilter {
  user_id?: string | undefined
  client_id?: string | undefined
  rotating?: boolean | undefined
}

export async function list(tx: Tx, page: Page, filter: RefreshTokenFilter, now: Date): Promise<Found<RefreshTokenRow>> {
  const { user_id, client_id, rotating } = filter
  const where = tx`t.previous_id is null
    ${user_id === undefined ? tx`` : tx`and g.user_id = ${user_id}`}
    ${client_id === undefined ? tx`` : tx`and g.client_id = ${client_id}`}
    ${rotating === undefined ? tx`` : tx`and l.rotating = ${rotating}`}
    ${page.after === undefined ? tx`` : tx`and t.id > ${page.after}`}`
  // One client may have millions; its index has this order.
  const byClient = user_id === undefined && client_id !== undefined && page.kind !== 'checkpoint'
  const order = byClient ? tx`g.user_id, g.audience, g.organization_id, g.id` : tx`t.id`
  const [rows, [count]] = await Promise.all([
    tx<RefreshTokenRow[]>`
      select ${columns(tx)} from ${families(tx, now)} where ${where}
      order by ${order} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from ${families(tx, now)} where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

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
  const ended = await tx`
    update grants set revoked_at = ${now}
    where revoked_at is null and id = (select grant_id from refresh_tokens where id = ${id}) returning 1`
  // Somebody else was faster.
  if (ended.length === 0) throw problems.inexistent_refresh_token()
  return row
}

/** Ends those of the given ids that exist. */
export const revokeIds = (tx: Tx, ids: string[], now: Date) => tx`
  update grants set revoked_at = ${now}
  where revoked_at is null and id in (
    select grant_id from refresh_tokens where id = any (${ids}::text[]) and previous_id is null)`

export const revokeMatching = (
  tx: Tx,
  filter: { user_id?: string | undefined; client_id?: string | undefined; audience?: string | undefined },
  now: Date,
) => tx`
  update grants g set revoked_at = ${now}
  where g.revoked_at is null and exists (select from refresh_tokens t where t.grant_id = g.id)
    ${filter.user_id === undefined ? tx`` : tx`and g.user_id = ${filter.user_id}`}
    ${filter.client_id === undefined ? tx`` : tx`and g.client_id = ${filter.client_id}`}
    ${filter.audience === undefined ? tx`` : tx`and g.resource_server_identifier = ${filter.audience}`}`
