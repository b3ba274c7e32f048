/** SQL of signing in: sessions, login transactions, failed tries, and what a login writes about a person. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Counter } from '../resources/attack-protection/counters.ts'
import { because, type Initiator } from '../resources/sessions/store.ts'
import type { Absence } from './redirect-actions.ts'
import type { Progress } from './transactions.ts'

export interface SessionRow {
  id: string
  user_id: string
  connection_id: string
  email: string | null
  auth_time: Date
  amr: string[]
  created_at: Date
  mfa_at: Date | null
  last_seen: Date
  expires_at: Date
  is_persistent: boolean
  /** As it was when the session began. */
  idle_seconds: number | null
  session_metadata: Record<string, string> | null
}

export const readSession = (tx: Tx, handleHash: Buffer, now: Date) => tx<SessionRow[]>`
  select s.id, s.user_id, coalesce(s.connection_id, u.connection_id) as connection_id, u.email, s.auth_time, s.amr,
    s.mfa_at, s.created_at, s.last_seen, s.expires_at, s.is_persistent, s.idle_seconds, s.session_metadata
  from sessions s join users u on u.user_id = s.user_id and not u.blocked
  where s.handle_hash = ${handleHash} and s.expires_at > ${now} and s.idle_expires_at > ${now}`

export interface NewSession {
  id: string
  handle_hash: Buffer
  user_id: string
  connection_id: string
  auth_time: Date
  amr: string[]
  ip: string
  user_agent: string | null
  created_at: Date
  last_seen: Date
  idle_expires_at: Date
  expires_at: Date
  is_persistent: boolean
  idle_seconds: number
}

/** An identity and the password hash with which it was proven; null for one that has no password here. */
export interface Proof {
  provider: string
  identity_id: string
  password_hash: string | null
}

/**
 * The person, with the rows held, if they are not blocked and what they proved is still so. A change waits until what is
 * made from these rows is there, or was first, and there is no row.
 */
export const stillProven = (tx: Tx, userId: string, proof: Proof | undefined) => tx`
  select u.user_id from users u join user_identities i on i.user_id = u.user_id
  where u.user_id = ${userId} and not u.blocked
    and ${
      proof
        ? tx`i.provider = ${proof.provider} and i.identity_id = ${proof.identity_id}
            and (case when i.is_primary then u.password_hash else i.password_hash end)
              is not distinct from ${proof.password_hash}`
        : tx`i.is_primary`
    }
  for share`

/**
 * A sign-in of whoever is signed in here already goes on in the same session, from its beginning and under a new handle:
 * applications know it by its id, and what was issued in it ends with it. Anybody else's session ends, for the
 * applications too. An identifier from before the login is dead either way (CWE-384).
 *
 * A password that is changed, an identity that is unlinked and a person who is blocked between the check and this
 * statement end all sessions of that person, and this one does not exist yet. So the proof is compared once more, with
 * the rows held: either such a change waits and finds the session, or nothing is kept and no row comes back.
 */
export const beginSession = (
  tx: Tx,
  environmentId: string,
  session: NewSession,
  oldHandleHash: Buffer | undefined,
  proof: Proof | undefined,
) => tx<Pick<SessionRow, 'id' | 'session_metadata'>[]>`
  with proven as (${stillProven(tx, session.user_id, proof)}), again as (
    update sessions s set handle_hash = ${session.handle_hash}, connection_id = ${session.connection_id},
      auth_time = ${session.auth_time}, amr = ${session.amr}::text[], mfa_at = null, ip = ${session.ip},
      user_agent = ${session.user_agent}, last_ip = null, last_user_agent = null, created_at = ${session.created_at},
      updated_at = null, last_seen = ${session.last_seen}, idle_expires_at = ${session.idle_expires_at},
      expires_at = ${session.expires_at}, is_persistent = ${session.is_persistent}, idle_seconds = ${session.idle_seconds}
    from proven where s.handle_hash = ${oldHandleHash ?? null} and s.user_id = proven.user_id
      and s.expires_at > ${session.created_at} and s.idle_expires_at > ${session.created_at}
    returning s.id, s.session_metadata
  ), started as (
    insert into sessions (environment_id, id, handle_hash, user_id, connection_id, auth_time, amr, ip, user_agent,
      created_at, last_seen, idle_expires_at, expires_at, is_persistent, idle_seconds)
    select ${environmentId}, ${session.id}, ${session.handle_hash}, user_id, ${session.connection_id},
      ${session.auth_time}, ${session.amr}::text[], ${session.ip}, ${session.user_agent}, ${session.created_at},
      ${session.last_seen}, ${session.idle_expires_at}, ${session.expires_at}, ${session.is_persistent},
      ${session.idle_seconds}
    from proven where not exists (select from again) returning id, session_metadata
  ), old as (
    delete from sessions where handle_hash = ${oldHandleHash ?? null} and exists (select from started)
      and set_config('tenantry.sign_out', case when user_id = ${session.user_id}
        then 'session-expired' else 'session-revoked' end, true) is not null)
  select * from again union all select * from started`

/**
 * The same session under another handle, and what it was proven with since. No row when it was ended meanwhile, or another
 * request has raised it.
 */
export const raiseSession = (
  tx: Tx,
  old: { id: string; handleHash: Buffer },
  raised: { handleHash: Buffer; amr: string[]; now: Date },
) => tx<{ expires_at: Date; is_persistent: boolean }[]>`
  update sessions set handle_hash = ${raised.handleHash}, amr = ${raised.amr}::text[], mfa_at = ${raised.now},
    updated_at = ${raised.now}
  where id = ${old.id} and handle_hash = ${old.handleHash} returning expires_at, is_persistent`

/** What an Action vouches for, once each. */
export const recordMethods = (tx: Tx, id: string, methods: string[]) => tx`
  update sessions set amr = amr || array(select m from unnest(${methods}::text[]) as m where m <> all (amr))
  where id = ${id}`

export interface PersonRow {
  user_id: string
  email: string | null
  email_verified: boolean
  name: string | null
}

/** Whose second factor is asked for. */
export const person = (tx: Tx, userId: string) => tx<PersonRow[]>`
  select user_id, email, email_verified, name from users where user_id = ${userId} and not blocked`

export const touchSession = (
  tx: Tx,
  id: string,
  {
    now,
    idleExpiresAt,
    expiresAt,
    ip,
    userAgent,
  }: { now: Date; idleExpiresAt: Date; expiresAt: Date; ip: string; userAgent: string | null },
) => tx`
  update sessions set last_seen = ${now}, updated_at = ${now}, expires_at = least(${expiresAt}, expires_at),
    idle_expires_at = least(${idleExpiresAt}, ${expiresAt}, expires_at),
    last_ip = ${ip}, last_user_agent = ${userAgent}
  where id = ${id}`

export const deleteSession = (tx: Tx, handleHash: Buffer, why: Initiator) => tx`
  delete from sessions where handle_hash = ${handleHash} and ${because(tx, why)}`

export interface TransactionRow {
  request: AuthorizationRequest
  organization_id: string | null
  invitation_id: string | null
  progress: Progress
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
  select request, organization_id, invitation_id, progress, created_at from login_transactions
  where state_hash = ${stateHash} and browser_hash = ${browserHash} and expires_at > ${now}`

export const awaitReturn = (tx: Tx, stateHash: Buffer, handleHash: Buffer) => tx`
  update login_transactions
  set progress = jsonb_set(progress, '{absence,handle_hash}', to_jsonb(${hex(handleHash)}::text))
  where state_hash = ${stateHash} and progress ? 'absence'`

/** Whoever comes back with the handle is away no more: of two with the same one, the second finds no row. */
export const redeemReturn = (tx: Tx, stateHash: Buffer, browserHash: Buffer, handleHash: Buffer, now: Date) => tx<
  (TransactionRow & { absence: Absence })[]
>`
  with away as (
    select state_hash, progress -> 'absence' as absence from login_transactions
    where state_hash = ${stateHash} and browser_hash = ${browserHash} and expires_at > ${now}
      and progress #>> '{absence,handle_hash}' = ${hex(handleHash)}
    for update)
  update login_transactions t set progress = t.progress - 'absence'
  from away where t.state_hash = away.state_hash
  returning t.request, t.organization_id, t.invitation_id, t.progress, t.created_at, away.absence`

export const chooseOrganization = (tx: Tx, stateHash: Buffer, organizationId: string) => tx`
  update login_transactions set organization_id = ${organizationId} where state_hash = ${stateHash}`

/** The members that are given; the others stay as they are at this moment. */
export const noteProgress = (tx: Tx, stateHash: Buffer, learned: Partial<Progress>) => tx`
  update login_transactions set progress = progress || ${tx.json(learned as JSONValue)} where state_hash = ${stateHash}`

/** The invitation of this login was accepted: its step is behind us. */
export const settleInvitation = (tx: Tx, stateHash: Buffer) => tx`
  update login_transactions set invitation_id = null where state_hash = ${stateHash}`

export const endTransaction = (tx: Tx, stateHash: Buffer) => tx`
  delete from login_transactions where state_hash = ${stateHash}`

/** The driver has no arrays of bytes; they travel as hexadecimal text. */
const hex = (hash: Buffer): string => hash.toString('hex')

/**
 * Counts a try in every bucket before it is evaluated, so that parallel guesses cannot outrun the limit
 * (CVE-2024-4629). An account's try is added to its window. An address's is taken from its stock, or refused when
 * nothing is left of it; a refused one costs nothing, or nobody would ever get out.
 *
 * @returns of each bucket: the tries of an account, this one included; of an address, those refused in a row
 */
export function countTry(
  tx: Tx,
  environmentId: string,
  counters: Counter[],
  now: Date,
  windowEndsAt: Date,
  throttle: { max_attempts: number; rate: number },
) {
  const after = (tries: number) => new Date(now.getTime() + tries * throttle.rate)
  // The rate may have been made faster since: nothing waits longer than the whole stock takes now.
  const left = tx`least(f.window_ends_at, ${after(throttle.max_attempts)})`
  const isEmpty = tx`${left} > ${after(throttle.max_attempts - 1)}`
  return tx<{ bucket: Uint8Array; failures: number }[]>`
    insert into login_failures as f (environment_id, bucket, kind, account, ip, failures, window_ends_at)
    select ${environmentId}, decode(c.bucket, 'hex'), c.kind, decode(c.account, 'hex'), c.ip,
      case c.kind when 'address' then 0 else 1 end,
      case c.kind when 'address' then ${after(1)}::timestamptz else ${windowEndsAt}::timestamptz end
    from unnest(
      ${counters.map(({ bucket }) => hex(bucket))}::text[], ${counters.map(({ kind }) => kind)}::text[],
      ${counters.map(({ account }) => account && hex(account))}::text[], ${counters.map(({ ip }) => ip)}::text[]
    ) as c (bucket, kind, account, ip)
    order by c.bucket
    on conflict (environment_id, bucket) do update set
      ip = excluded.ip,
      failures = case
        when f.kind = 'address' then case when ${isEmpty} then f.failures + 1 else 0 end
        when f.window_ends_at <= ${now} then 1 else f.failures + 1 end,
      window_ends_at = case
        when f.kind = 'address' then case
          when ${isEmpty} then ${left}
          else greatest(f.window_ends_at, ${now}) + ${throttle.rate}::int * interval '1 millisecond' end
        when f.window_ends_at <= ${now} then excluded.window_ends_at else f.window_ends_at end
    returning bucket, failures`
}

/**
 * Clears an account and gives its try back to the address. Rows are locked in the order of `countTry`, or parallel
 * sign-ins of one person would wait for each other for ever.
 */
export const forgetTries = (tx: Tx, tries: Tries) => tx`with ${forgetting(tx, tries)} select from returned`

/** The buckets of an account, which are cleared, and that of an address, which gets one try back. */
export interface Tries {
  cleared: Buffer[]
  returned: Buffer
  /** Milliseconds in which an address gets a try. */
  rate: number
}

const forgetting = (tx: Tx, { cleared, returned, rate }: Tries) => tx`
  locked as materialized (
    select bucket from login_failures
    where bucket in (select decode(b, 'hex') from unnest(${[...cleared, returned].map(hex)}::text[]) as b)
    order by bucket for update
  ), gone as (
    delete from login_failures where bucket in (select bucket from locked where bucket <> ${returned})
  ), returned as (
    update login_failures set window_ends_at = window_ends_at - ${rate}::int * interval '1 millisecond', failures = 0
    where bucket in (select bucket from locked where bucket = ${returned})
    returning bucket
  )`

export interface Credentials extends Proof {
  /** Whose identity it is: with a linked one somebody else than its address says. */
  user_id: string
  connection_id: string
  is_primary: boolean
  blocked: boolean
}

/** Where people are looked up: connections in their order, and those of them that know usernames. */
export interface Realms {
  ids: string[]
  withUsernames: string[]
}

// A list of unknown length is planned anew each time (0.4 ms); one connection, which is the rule, is not.
const within = (tx: Tx, ids: readonly string[]) =>
  ids.length === 1 ? tx`i.connection_id = ${ids[0]!}` : tx`i.connection_id = any(${ids}::text[])`

/** A person by the address or username of one of their identities, within the connections that may be used here. */
export const findCredentials = (tx: Tx, identifier: string, realms: Realms) => tx<Credentials[]>`
  select i.provider, i.identity_id, i.user_id, i.connection_id, i.is_primary, u.blocked,
    case when i.is_primary then u.password_hash else i.password_hash end as password_hash
  from user_identities i join users u on u.user_id = i.user_id
  where (i.email_key = lower(${identifier}) and ${within(tx, realms.ids)})
    ${realms.withUsernames.length === 0 ? tx`` : tx`or (i.username_key = lower(${identifier}) and ${within(tx, realms.withUsernames)})`}
  order by array_position(${realms.ids}::text[], i.connection_id), i.email_key is distinct from lower(${identifier})
  limit 1`

/** The hash that belongs to an identity now. */
export const currentHash = (tx: Tx, proof: Proof) => tx<{ password_hash: string | null }[]>`
  select case when i.is_primary then u.password_hash else i.password_hash end as password_hash
  from user_identities i join users u on u.user_id = i.user_id
  where i.provider = ${proof.provider} and i.identity_id = ${proof.identity_id}`

export const recordLogin = (tx: Tx, userId: string, now: Date, ip: string) => tx`
  update users set last_login = ${now}, last_ip = ${ip}, logins_count = logins_count + 1 where user_id = ${userId}`

/** A sign-in with a password or a code, and the end of its tries, in one turn to the database. */
export const recordPasswordLogin = (tx: Tx, userId: string, now: Date, ip: string, tries: Tries) => tx`
  with ${forgetting(tx, tries)}
  update users set last_login = ${now}, last_ip = ${ip}, logins_count = logins_count + 1 where user_id = ${userId}`

/** The same password hashed anew; one that was changed in between stays. */
export const replacePasswordHash = (tx: Tx, person: Credentials, hash: string) =>
  person.is_primary
    ? tx<{ replaced: true }[]>`
        update users set password_hash = ${hash}
        where user_id = ${person.user_id} and password_hash = ${person.password_hash} returning true as replaced`
    : tx<{ replaced: true }[]>`
        update user_identities set password_hash = ${hash}
        where provider = ${person.provider} and identity_id = ${person.identity_id}
          and password_hash = ${person.password_hash} returning true as replaced`

type Changes = Record<string, JSONValue>

/** Sets the given keys, or with null removes them, and leaves all others as they are at this moment. */
export const writeMetadata = (tx: Tx, userId: string, user: Changes, app: Changes) => tx`
  update users set
    user_metadata = (user_metadata || ${tx.json(user)}) - ${nulls(user)}::text[],
    app_metadata = (app_metadata || ${tx.json(app)}) - ${nulls(app)}::text[],
    updated_at = now()
  where user_id = ${userId}`

const nulls = (changes: Changes): string[] => Object.keys(changes).filter((key) => changes[key] === null)

/** The address is proven; if it is that of a linked identity, it says nothing about the person's own. */
export const verifyEmail = (tx: Tx, userId: string, email: string) => tx`
  update users set email_verified = true where user_id = ${userId} and lower(email) = lower(${email})`
