/** SQL of the device flow. Each change of a code is one conditional statement: of any number of tries one wins. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { type ActionClaims, firstToken, type Grant, type NewRefreshToken } from '../grant-store.ts'

export interface DeviceCodeRow {
  id: string
  client_id: string
  organization_id: string | null
  audience: string | null
  resource_server_identifier: string | null
  scope: string[]
  issuer: string
  status: 'pending' | 'approved' | 'denied' | 'redeemed'
  grant_id: string | null
  claims: ActionClaims
  interval_seconds: number
  expires_at: Date
}

export interface NewDeviceCode extends Omit<DeviceCodeRow, 'status' | 'grant_id' | 'claims'> {
  device_code_hash: Buffer
  user_code_hash: Buffer
  created_at: Date
}

const columns = (tx: Tx) => tx`
  d.id, d.client_id, d.organization_id, d.audience, d.resource_server_identifier, d.scope, d.issuer, d.status, d.grant_id,
  d.claims, d.interval_seconds, d.expires_at`

/** @returns no row when another code of now has the same letters */
export const insert = (tx: Tx, environmentId: string, row: NewDeviceCode) => tx<{ id: string }[]>`
  insert into device_codes ${tx({ environment_id: environmentId, status: 'pending', ...row })}
  on conflict (environment_id, user_code_hash) do nothing returning id`

/** Counts a poll. One that comes too early makes the interval longer (RFC 8628 §3.5). */
export const poll = (tx: Tx, deviceCodeHash: Buffer, now: Date, longer: number) => tx<
  (DeviceCodeRow & { too_early: boolean })[]
>`
  with before as (
    -- Clocks and networks are not that exact: half a second early is in time.
    select id, last_polled_at > ${now}::timestamptz - (interval_seconds - 0.5) * interval '1 second' as early
    from device_codes where device_code_hash = ${deviceCodeHash} for update
  )
  update device_codes d set last_polled_at = ${now},
    interval_seconds = case when before.early and d.status = 'pending'
      then least(d.interval_seconds + ${longer}, 60) else d.interval_seconds end
  from before where d.id = before.id
  returning ${columns(tx)}, coalesce(before.early, false) as too_early`

/** A code that waits, now bound to this browser; no row for one that another browser has, or that nobody can use. */
export const claim = (tx: Tx, userCodeHash: Buffer, issuer: string, browserHash: Buffer, now: Date) => tx<
  DeviceCodeRow[]
>`
  update device_codes d set browser_hash = ${browserHash}
  where user_code_hash = ${userCodeHash} and status = 'pending' and expires_at > ${now} and issuer = ${issuer}
    and (browser_hash is null or browser_hash = ${browserHash})
  returning ${columns(tx)}`

/** The person has signed in for it. @returns no row when the code, or the session meanwhile, is gone */
export const approve = (
  tx: Tx,
  environmentId: string,
  approval: { id: string; browserHash: Buffer; grant: Grant & { session_id: string }; claims: ActionClaims; now: Date },
) => {
  const { id, browserHash, grant, claims, now } = approval
  return tx<{ id: string }[]>`
    with s as materialized (select id from sessions where id = ${grant.session_id} for key share), approved as (
      update device_codes set status = 'approved', grant_id = ${grant.id},
        claims = ${tx.json(claims as unknown as JSONValue)}
      where id = ${id} and status = 'pending' and browser_hash = ${browserHash} and expires_at > ${now}
        and exists (select from s)
      returning id
    )
    insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, session_id, connection_id, auth_time, amr, mfa_at, created_at)
    select ${environmentId}, ${grant.id}, ${grant.user_id}, ${grant.client_id}, ${grant.organization_id},
      ${grant.audience}, ${grant.resource_server_identifier}, ${grant.scope}::text[], ${grant.session_id},
      ${grant.connection_id}, ${grant.auth_time}::timestamptz, ${grant.amr}::text[],
      ${grant.mfa_at ?? null}::timestamptz, ${now}::timestamptz
    from approved returning id`
}

export const deny = (tx: Tx, id: string, browserHash: Buffer) => tx`
  update device_codes set status = 'denied' where id = ${id} and status = 'pending' and browser_hash = ${browserHash}`

/** Uses an approved code up and, with it, issues the first refresh token. */
export const redeem = (tx: Tx, id: string, now: Date, token: NewRefreshToken | undefined) => tx<{ grant_id: string }[]>`
  with used as (
    update device_codes d set status = 'redeemed'
    where id = ${id} and status = 'approved' and expires_at > ${now}
      and exists (select from grants g where g.id = d.grant_id and g.revoked_at is null)
    returning environment_id, grant_id
  ), issued as (
    ${firstToken(tx, token, now)}
  )
  select grant_id from used`
