import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'

export interface SessionRow {
  id: string
  user_id: string
  auth_time: Date
  amr: string[]
  ip: string | null
  user_agent: string | null
  last_ip: string | null
  last_user_agent: string | null
  created_at: Date
  updated_at: Date | null
  last_seen: Date
  idle_expires_at: Date
  expires_at: Date
  session_metadata: Record<string, string> | null
  clients: string[]
}

const columns = (tx: Tx) => tx`
  s.id, s.user_id, s.auth_time, s.amr, s.ip, s.user_agent, s.last_ip, s.last_user_agent, s.created_at, s.updated_at,
  s.last_seen, s.idle_expires_at, s.expires_at, s.session_metadata,
  array(select distinct g.client_id from grants g where g.session_id = s.id order by g.client_id) as clients`

/** What has expired is no session any more, whether or not its row has been removed. */
const alive = (tx: Tx, now: Date) => tx`s.expires_at > ${now} and s.idle_expires_at > ${now}`

/** @throws Problem `inexistent_session` */
export async function get(tx: Tx, id: string, now: Date): Promise<SessionRow> {
  const [row] = await tx<SessionRow[]>`select ${columns(tx)} from sessions s where s.id = ${id} and ${alive(tx, now)}`
  if (!row) throw problems.inexistent_session()
  return row
}

export async function listOf(tx: Tx, userId: string, page: Page, now: Date): Promise<Found<SessionRow>> {
  const rows = await tx<SessionRow[]>`
    select ${columns(tx)} from sessions s
    where s.user_id = ${userId} and ${alive(tx, now)} and (${page.after ?? null}::text is null or s.id > ${page.after ?? null})
    order by s.id limit ${fetchLimit(page)}`
  return { rows, total: 0 }
}

/** @throws Problem `inexistent_session` */
export async function saveMetadata(
  tx: Tx,
  id: string,
  metadata: Record<string, string> | null,
  now: Date,
): Promise<void> {
  const saved = await tx`
    update sessions s set session_metadata = ${metadata && tx.json(metadata)}, updated_at = ${now}
    where s.id = ${id} and ${alive(tx, now)} returning 1`
  if (saved.length === 0) throw problems.inexistent_session()
}

/**
 * Ends one session, of the given user if one is given. The browser's cookie is worthless from then on, and a code that
 * was handed out in it is not exchanged any more.
 *
 * @param keepTokens whether refresh tokens that were issued in it live on
 * @throws Problem `inexistent_session`
 */
export async function end(
  tx: Tx,
  id: string,
  { userId, keepTokens, now }: { userId?: string; keepTokens: boolean; now: Date },
): Promise<void> {
  const gone = await tx`
    delete from sessions s
    where s.id = ${id} and ${alive(tx, now)} and (${userId ?? null}::text is null or s.user_id = ${userId ?? null})
    returning 1`
  if (gone.length === 0) throw problems.inexistent_session()
  await tx`
    update grants set revoked_at = ${now}
    where session_id = ${id} and revoked_at is null and ${keepTokens ? withoutToken(tx) : tx`true`}`
}

/** Ends all sessions of a person and leaves their refresh tokens. */
export async function endAllOf(tx: Tx, userId: string, now: Date): Promise<void> {
  await tx`delete from sessions where user_id = ${userId}`
  await tx`
    update grants set revoked_at = ${now}
    where user_id = ${userId} and session_id is not null and revoked_at is null and ${withoutToken(tx)}`
}

const withoutToken = (tx: Tx) => tx`not exists (select from refresh_tokens t where t.grant_id = grants.id)`
