/** Refresh tokens after the first of a family. `rotate…` and `touch…` are the only state transitions, each one atomic statement. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { stillProven } from '../login/store.ts'
import { type Grant, grantColumns, type NewRefreshToken, type Subject, subjectOf } from './grant-store.ts'

export interface RefreshTokenRow extends Grant, Subject {
  token_id: string
  rotating: boolean
  issuer: string
  rotated_at: Date | null
  dpop_jkt: string | null
  last_used_at: Date
  idle_limit: Date | null
  expires_at: Date | null
  revoked_at: Date | null
}

const readRefreshTokenWhere = (tx: Tx, condition: ReturnType<Tx>) => tx<RefreshTokenRow[]>`
  select ${grantColumns(tx)}, ${subjectOf(tx)}, t.id as token_id, t.rotating, t.issuer, t.rotated_at, t.dpop_jkt, 
    coalesce(t.last_exchanged_at, t.created_at) as last_used_at,
    t.idle_limit, t.expires_at, g.revoked_at
  from refresh_tokens t join grants g on g.id = t.grant_id
  where ${condition}`

export const readRefreshToken = (tx: Tx, tokenHash: Buffer) =>
  readRefreshTokenWhere(tx, tx`t.token_hash = ${tokenHash}`)

export const readRefreshTokenById = (tx: Tx, id: string) => readRefreshTokenWhere(tx, tx`t.id = ${id}`)

/** Whether a token was neither exchanged nor revoked. */
export const isCurrent = (tx: Tx, tokenId: string) => tx`
  select from refresh_tokens t join grants g on g.id = t.grant_id
  where t.id = ${tokenId} and t.rotated_at is null and g.revoked_at is null`

/**
 * Exchanges a token for its successor. It succeeds when the token was never exchanged, or was exchanged less than
 * `leewaySeconds` ago and its successor has not been used since (two tabs at once). Everything else returns no row. No
 * leeway means none: `now` may lie before the first exchange, if that was made by a process whose clock is ahead.
 */
export const rotateRefreshToken = (
  tx: Tx,
  tokenId: string,
  now: Date,
  leewaySeconds: number,
  next: NewRefreshToken,
) => {
  // Two statements: one whose shape hangs on a value is planned anew at each exchange (0.4 ms).
  const leeway =
    leewaySeconds > 0
      ? tx`or (t.rotated_at > ${new Date(now.getTime() - leewaySeconds * 1000)} and not exists (
          select from refresh_tokens n where n.previous_id = t.id and n.rotated_at is not null))`
      : tx``
  return tx<{ id: string }[]>`
  with old as (
    update refresh_tokens t
    set rotated_at = coalesce(rotated_at, ${now}), last_exchanged_at = ${now}
    where t.id = ${tokenId}
      and (t.rotated_at is null ${leeway})
      and exists (select from grants g where g.id = t.grant_id and g.revoked_at is null)
    returning environment_id, id, grant_id
  )
  insert into refresh_tokens (environment_id, id, token_hash, grant_id, previous_id, rotating, issuer, created_at,
    idle_expires_at, idle_limit, expires_at, dpop_jkt, ip, user_agent)
  select environment_id, ${next.id}, ${next.token_hash}, grant_id, id, ${next.rotating}, ${next.issuer}, ${now},
    ${next.idle_expires_at}, ${next.idle_limit}, ${next.expires_at}, ${next.dpop_jkt}, ${next.ip}, ${next.user_agent}
  from old returning id`
}

/** A token that does not rotate lives on: its idle time starts again. */
export const touchRefreshToken = (
  tx: Tx,
  tokenId: string,
  now: Date,
  ends: Pick<NewRefreshToken, 'idle_expires_at' | 'idle_limit' | 'expires_at'>,
  device: Pick<NewRefreshToken, 'ip' | 'user_agent'>,
) => tx<{ id: string }[]>`
  update refresh_tokens t set last_exchanged_at = ${now}, idle_expires_at = ${ends.idle_expires_at},
    idle_limit = ${ends.idle_limit}, expires_at = ${ends.expires_at}, last_ip = ${device.ip},
    last_user_agent = ${device.user_agent}
  where t.id = ${tokenId} and exists (select from grants g where g.id = t.grant_id and g.revoked_at is null)
  returning id`

/**
 * The grant of a refresh token once more, with the second factor that was proven since, and its first refresh token with what
 * Actions keep beside the family. The grant that it comes from stays what it was: whoever has a copy of its token has proven
 * nothing. Person, session and grant are held: whoever ends what they granted waits, and then finds this too, and
 * whoever is ending the grant is waited for.
 *
 * @param from the refresh token and its grant
 * @returns no row when the person was blocked, the grant revoked or the token exchanged since
 */
export const insertRaisedGrant = (
  tx: Tx,
  from: Pick<RefreshTokenRow, 'id' | 'token_id' | 'user_id' | 'session_id'>,
  raised: Pick<Grant, 'id' | 'amr'> & { mfa_at: Date },
  next: NewRefreshToken,
) => tx<{ grant_id: string }[]>`
  with person as materialized (${stillProven(tx, from.user_id, undefined)}),
  s as materialized (select id from sessions where id = ${from.session_id} for key share),
  origin as (
    select g.* from grants g join person on person.user_id = g.user_id
    where g.id = ${from.id} and g.revoked_at is null
      and exists (select from refresh_tokens t where t.id = ${from.token_id} and t.rotated_at is null)
    for share of g
  ), used as (
    insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, session_id, connection_id, auth_time, amr, mfa_at, created_at)
    select environment_id, ${raised.id}, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, (select id from s), connection_id, auth_time, ${raised.amr}::text[], ${raised.mfa_at}::timestamptz,
      ${raised.mfa_at}::timestamptz
    from origin returning environment_id, id as grant_id
  ), issued as (
    insert into refresh_tokens (environment_id, id, token_hash, grant_id, rotating, issuer, created_at, idle_expires_at,
      idle_limit, expires_at, dpop_jkt, ip, user_agent, refresh_token_metadata)
    select environment_id, ${next.id}, ${next.token_hash}, grant_id, ${next.rotating}, ${next.issuer}, ${next.created_at},
      ${next.idle_expires_at}, ${next.idle_limit}, ${next.expires_at}, ${next.dpop_jkt}, ${next.ip}, ${next.user_agent},
      (select t.refresh_token_metadata from refresh_tokens t where t.grant_id = (select id from origin)
        and t.previous_id is null)
    from used
  )
  select grant_id from used`
