/** SQL of signing in: sessions, login transactions, failed tries, and what a login writes about a person. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'

export interface SessionRow {
  id: string
  user_id: string
  connection_id: string
  email: string | null
  auth_time: Date
  amr: string[]
  last_seen: Date
  expires_at: Date
}

export const readSession = (tx: Tx, handleHash: Buffer, now: Date) => tx<SessionRow[]>`
  select s.id, s.user_id, u.connection_id, u.email, s.auth_time, s.amr, s.last_seen, s.expires_at
  from sessions s join users u on u.user_id = s.user_id and not u.blocked
  where s.handle_hash = ${handleHash} and s.expires_at > ${now} and s.idle_expires_at > ${now}`

export interface NewSession {
  id: string
  handle_hash: Buffer
  user_id: string
  auth_time: Date
  amr: string[]
  ip: string
  user_agent: string | null
  created_at: Date
  last_seen: Date
  idle_expires_at: Date
  expires_at: Date
}

/** The new session takes the old one's place: an identifier from before the login is dead afterwards (CWE-384). */
export const replaceSession = (
  tx: Tx,
  environmentId: string,
  session: NewSession,
  oldHandleHash: Buffer | undefined,
) => tx`
  with old as (delete from sessions where handle_hash = ${oldHandleHash ?? null})
  insert into sessions ${tx({ ...session, environment_id: environmentId })}`

export const touchSession = (tx: Tx, id: string, now: Date, idleExpiresAt: Date) => tx`
  update sessions set last_seen = ${now}, idle_expires_at = least(${idleExpiresAt}, expires_at) where id = ${id}`

export const deleteSession = (tx: Tx, handleHash: Buffer) => tx`delete from sessions where handle_hash = ${handleHash}`

export interface TransactionRow {
  request: AuthorizationRequest
  organization_id: string | null
  invitation_id: string | null
  created_at: Date
}

export const insertTransaction = (
  tx: Tx,
  environmentId: string,
  row: {
    state_hash: Buffer
    browser_hash: Buffer
    request: AuthorizationRequest
    organization_id: string | null
    invitation_id: string | null
    created_at: Date
    expires_at: Date
  },
) => tx`
  insert into login_transactions ${tx({
    ...row,
    environment_id: environmentId,
    request: tx.json(row.request as unknown as JSONValue),
  })}`

export const readTransaction = (tx: Tx, stateHash: Buffer, browserHash: Buffer, now: Date) => tx<TransactionRow[]>`
  select request, organization_id, invitation_id, created_at from login_transactions
  where state_hash = ${stateHash} and browser_hash = ${browserHash} and expires_at > ${now}`

export const chooseOrganization = (tx: Tx, stateHash: Buffer, organizationId: string | null) => tx`
  update login_transactions set organization_id = ${organizationId} where state_hash = ${stateHash}`

/** The invitation of this login was accepted: its step is behind us. */
export const settleInvitation = (tx: Tx, stateHash: Buffer) => tx`
  update login_transactions set invitation_id = null where state_hash = ${stateHash}`

export const endTransaction = (tx: Tx, stateHash: Buffer) => tx`
  delete from login_transactions where state_hash = ${stateHash}`

/** The driver has no arrays of bytes; they travel as hexadecimal text. */
const hex = (hashes: Buffer[]): string[] => hashes.map((hash) => hash.toString('hex'))

/**
 * Counts a try in every bucket before it is evaluated, so that parallel guesses cannot outrun the limit
 * (CVE-2024-4629).
 *
 * @returns the count of each bucket, this try included
 */
export const countTry = (tx: Tx, environmentId: string, buckets: Buffer[], now: Date, windowEndsAt: Date) => tx<
  { bucket: Uint8Array; failures: number }[]
>`
  insert into login_failures as f (environment_id, bucket, failures, window_ends_at)
  select ${environmentId}, decode(b, 'hex'), 1, ${windowEndsAt} from unnest(${hex(buckets)}::text[]) as b order by b
  on conflict (environment_id, bucket) do update set
    failures = case when f.window_ends_at <= ${now} then 1 else f.failures + 1 end,
    window_ends_at = case when f.window_ends_at <= ${now} then excluded.window_ends_at else f.window_ends_at end
  returning bucket, failures`

/** Rows are locked in the order of `countTry`, or parallel sign-ins of one person would wait for each other for ever. */
export const forgetTries = (tx: Tx, cleared: Buffer[], decreased: Buffer) => tx`
  with locked as materialized (
    select bucket from login_failures
    where bucket in (select decode(b, 'hex') from unnest(${hex([...cleared, decreased])}::text[]) as b)
    order by bucket for update
  ), gone as (
    delete from login_failures where bucket in (select bucket from locked where bucket <> ${decreased}))
  update login_failures set failures = greatest(failures - 1, 0)
  where bucket in (select bucket from locked where bucket = ${decreased})`

export interface Credentials {
  user_id: string
  connection_id: string
  password_hash: string | null
  blocked: boolean
}

/** A person by address or username, within the connections that may be used here. */
export const findCredentials = (tx: Tx, identifier: string, connectionIds: string[]) => tx<Credentials[]>`
  select user_id, connection_id, password_hash, blocked from users
  where connection_id = any(${connectionIds}::text[])
    and (lower(email) = lower(${identifier}) or lower(username) = lower(${identifier}))
  order by array_position(${connectionIds}::text[], connection_id) limit 1`

export const recordLogin = (tx: Tx, userId: string, now: Date, ip: string) => tx`
  update users set last_login = ${now}, last_ip = ${ip}, logins_count = logins_count + 1 where user_id = ${userId}`

/** The same password hashed anew; one that was changed in between stays. */
export const replacePasswordHash = (tx: Tx, userId: string, old: string, hash: string) => tx`
  update users set password_hash = ${hash} where user_id = ${userId} and password_hash = ${old}`

type Changes = Record<string, JSONValue>

/** Sets the given keys, or with null removes them, and leaves all others as they are at this moment. */
export const writeMetadata = (tx: Tx, userId: string, user: Changes, app: Changes) => tx`
  update users set
    user_metadata = (user_metadata || ${tx.json(user)}) - ${nulls(user)}::text[],
    app_metadata = (app_metadata || ${tx.json(app)}) - ${nulls(app)}::text[],
    updated_at = now()
  where user_id = ${userId}`

const nulls = (changes: Changes): string[] => Object.keys(changes).filter((key) => changes[key] === null)

export const verifyEmail = (tx: Tx, userId: string) => tx`
  update users set email_verified = true where user_id = ${userId}`
