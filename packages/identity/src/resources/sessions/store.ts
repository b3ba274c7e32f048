import type { Tx } from '@tenantry/kernel/database/database.ts'
import { revokeGrants } from '../grants/store.ts'
import { changedTexts } from '../metadata.ts'
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
  array(select distinct c.client_id from session_clients c where c.session_id = s.id order by c.client_id) as clients`

/** Why a session ends, in Auth0's words: applications may ask to be told of some and not of others. */
export const INITIATORS = [
  'rp-logout',
  'idp-logout',
  'password-changed',
  'session-expired',
  'session-revoked',
  'account-deleted',
  'email-identifier-changed',
  'mfa-phone-unenrolled',
  'account-deactivated',
] as const
export type Initiator = (typeof INITIATORS)[number]

/** A condition that is always true, of a statement that ends sessions: its trigger tells the applications why. */
export const because = (tx: Tx, why: Initiator) => tx`set_config('tenantry.sign_out', ${why}, true) is not null`

/** What has expired is no session any more, whether or not its row has been removed. */
const alive = (tx: Tx, now: Date) => tx`s.expires_at > ${now} and s.idle_expires_at > ${now}`

export async function find(tx: Tx, id: string, now: Date): Promise<SessionRow | undefined> {
  const [row] = await tx<SessionRow[]>`select ${columns(tx)} from sessions s where s.id = ${id} and ${alive(tx, now)}`
  return row
}

/** @throws Problem `inexistent_session` */
export async function get(tx: Tx, id: string, now: Date): Promise<SessionRow> {
  const row = await find(tx, id, now)
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

/** Ends it earlier, never later: it lasts no longer than the environment allows. One that is over stays so. */
export const shorten = (tx: Tx, id: string, ends: { expiresAt?: Date; idleExpiresAt?: Date }, now: Date) => tx`
  update sessions s set
    expires_at = least(${ends.expiresAt ?? null}::timestamptz, s.expires_at),
    idle_expires_at = least(coalesce(${ends.idleExpiresAt ?? null}::timestamptz, s.idle_expires_at),
      ${ends.expiresAt ?? null}::timestamptz, s.expires_at,
      s.last_seen + s.idle_seconds * interval '1 second'),
    updated_at = ${now}
  where s.id = ${id} and ${alive(tx, now)}`

/** @returns false, and nothing is changed, when there would be more texts than the API takes */
export async function changeMetadata(
  tx: Tx,
  id: string,
  change: Parameters<typeof changedTexts>[1],
  now: Date,
): Promise<boolean> {
  const [row] = await tx<{ session_metadata: Record<string, string> | null }[]>`
    select session_metadata from sessions where id = ${id} for update`
  const changed = changedTexts(row?.session_metadata ?? null, change)
  if (!changed) return false
  await tx`
    update sessions set session_metadata = ${changed.texts && tx.json(changed.texts)}, updated_at = ${now} where id = ${id}`
  return true
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
  await revokeGrants(tx, tx`g.session_id = ${id} and ${keepTokens ? withoutToken(tx) : tx`true`}`, now)
}

/** Ends all sessions of a person and leaves their refresh tokens. */
export async function endAllOf(tx: Tx, userId: string, now: Date): Promise<void> {
  await tx`delete from sessions where user_id = ${userId}`
  await revokeGrants(tx, tx`g.user_id = ${userId} and g.session_id is not null and ${withoutToken(tx)}`, now)
}

const withoutToken = (tx: Tx) => tx`not exists (select from refresh_tokens t where t.grant_id = g.id)`
