/** Grants, and the codes and first refresh tokens that point at them. `redeem…` are the only state transitions, each one atomic statement. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { type Proof, stillProven } from '../login/store.ts'

/** One immutable authorization: who, for which client, in which organization, for which API, with what ceiling. */
export interface Grant {
  id: string
  user_id: string
  client_id: string
  organization_id: string | null
  audience: string | null
  resource_server_identifier: string | null
  scope: string[]
  session_id: string | null
  connection_id: string | null
  auth_time: Date
  amr: string[]
  /** When the second factor was proven. */
  mfa_at?: Date | null
}

export interface UserRecord {
  user_id: string
  connection_id: string
  email: string | null
  email_verified: boolean
  username: string | null
  phone_number: string | null
  phone_verified: boolean | null
  name: string | null
  nickname: string | null
  given_name: string | null
  family_name: string | null
  picture: string | null
  user_metadata: Record<string, unknown>
  app_metadata: Record<string, unknown>
  blocked: boolean
  logins_count: number
  created_at: string
  updated_at: string
}

/** Everything about the person that a mint needs, as it is now. */
export interface Subject {
  user: UserRecord | null
  is_member: boolean
  /** Whether the organization may not be used for now. */
  is_suspended: boolean
  permissions: string[]
  organization: { id: string; name: string; display_name: string; metadata: Record<string, string> } | null
}

/** Columns of a person that are nobody's business: Actions see all others. */
const HIDDEN = ['password_hash', 'environment_id', 'last_login', 'last_ip', 'name_key']

/** Selected beside any row `g` that has user_id, organization_id and resource_server_identifier. */
export const subjectOf = (tx: Tx) => tx`
  (select to_jsonb(u) - ${HIDDEN}::text[] from users u where u.user_id = g.user_id) as "user",
  (g.organization_id is null or exists (
    select from members m where m.organization_id = g.organization_id and m.user_id = g.user_id)) as is_member,
  exists (select from organizations o where o.organization_id = g.organization_id and o.suspended_at is not null)
    as is_suspended,
  permissions_of(g.user_id, g.organization_id, g.resource_server_identifier) as permissions,
  (select jsonb_build_object('id', o.organization_id, 'name', o.name, 'display_name', o.display_name,
      'metadata', o.metadata)
    from organizations o where o.organization_id = g.organization_id) as organization`

export const grantColumns = (tx: Tx) => tx`
  g.id, g.user_id, g.client_id, g.organization_id, g.audience, g.resource_server_identifier, g.scope, g.session_id,
  g.connection_id, g.auth_time, g.amr, g.mfa_at`

export const subject = (tx: Tx, userId: string, organizationId: string | null, identifier: string | null) => tx<
  Subject[]
>`
  select ${subjectOf(tx)}
  from (values (${userId}::text, ${organizationId}::text, ${identifier}::text))
    as g(user_id, organization_id, resource_server_identifier)`

/** What Actions alone see of a person. Read where one runs: beside each subject it cost 40 % more of PostgreSQL's CPU. */
export const seenByActions = (tx: Tx, userId: string, organizationId: string | null) =>
  tx<
    {
      identities: { connection: string; provider: string; user_id: string; isSocial: boolean }[]
      roles: string[]
    }[]
  >`select identities_of(${userId}) as identities, roles_of(${userId}, ${organizationId}) as roles`

/** What the post-login Actions decided at sign-in, kept for the exchange of the code. */
export interface ActionClaims {
  id: Record<string, unknown>
  access: Record<string, unknown>
  addScopes: string[]
  removeScopes: string[]
  /** Texts to keep beside the first refresh token, if there is to be one. */
  refreshTokenMetadata?: Record<string, string>
}

export interface CodeRow extends Grant, Subject {
  redirect_uri: string
  code_challenge: string | null
  nonce: string | null
  with_auth_time: boolean
  dpop_jkt: string | null
  claims: ActionClaims
  issuer: string
  attempts: number
  expires_at: Date
  used_at: Date | null
  revoked_at: Date | null
}

export interface NewCode {
  code_hash: Buffer
  redirect_uri: string
  code_challenge: string | null
  nonce: string | null
  with_auth_time: boolean
  /** The key that the exchange must prove (RFC 9449 §10). */
  dpop_jkt: string | null
  claims: ActionClaims
  issuer: string
  expires_at: Date
}

/**
 * @param endedLogin the login under way that this code ends, by the hash of its state
 * @returns no row when the session is gone. It is held meanwhile: whoever ends it waits, and then finds the grant, so
 * that none outlives its session by coming a moment later.
 */
export const insertGrantWithCode = (
  tx: Tx,
  environmentId: string,
  grant: Grant & { session_id: string },
  code: NewCode,
  now: Date,
  endedLogin: Buffer | null,
) => tx<{ grant_id: string }[]>`
  with ended as (delete from login_transactions where state_hash = ${endedLogin}),
  s as materialized (select id from sessions where id = ${grant.session_id} for key share), g as (
    insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, session_id, connection_id, auth_time, amr, mfa_at, created_at)
    select ${environmentId}, ${grant.id}, ${grant.user_id}, ${grant.client_id}, ${grant.organization_id},
      ${grant.audience}, ${grant.resource_server_identifier}, ${grant.scope}::text[], ${grant.session_id},
      ${grant.connection_id}, ${grant.auth_time}::timestamptz, ${grant.amr}::text[],
      ${grant.mfa_at ?? null}::timestamptz, ${now}::timestamptz
    from s returning id
  ), told as (
    insert into session_clients (environment_id, session_id, client_id, sid, issuer)
    select ${environmentId}, s.id, ${grant.client_id}, s.id, ${code.issuer} from s
    on conflict do nothing)
  insert into codes (environment_id, code_hash, grant_id, redirect_uri, code_challenge, nonce, with_auth_time, dpop_jkt,
    claims, issuer, expires_at)
  select ${environmentId}, ${code.code_hash}, g.id, ${code.redirect_uri}, ${code.code_challenge}, ${code.nonce},
    ${code.with_auth_time}, ${code.dpop_jkt}, ${tx.json(code.claims as unknown as JSONValue)}, ${code.issuer}, ${code.expires_at}
  from g returning grant_id`

/**
 * A client that got its tokens without a code knows the session too, and is told when it ends.
 *
 * @returns no row when the session is gone
 */
export const noteClient = (
  tx: Tx,
  environmentId: string,
  { session_id, client_id }: { session_id: string; client_id: string },
  issuer: string,
) => tx<{ id: string }[]>`
  with s as materialized (select id from sessions where id = ${session_id} for key share), told as (
    insert into session_clients (environment_id, session_id, client_id, sid, issuer)
    select ${environmentId}, s.id, ${client_id}, s.id, ${issuer} from s
    on conflict do nothing)
  select id from s`

export const readCode = (tx: Tx, codeHash: Buffer) => tx<CodeRow[]>`
  select ${grantColumns(tx)}, ${subjectOf(tx)}, c.redirect_uri, c.code_challenge, c.nonce, c.with_auth_time, c.dpop_jkt, c.claims,
    c.issuer, c.attempts, c.expires_at, c.used_at, g.revoked_at
  from codes c join grants g on g.id = c.grant_id
  where c.code_hash = ${codeHash}`

/** A wrong verifier is counted; a code that saw five of them is of no use to anybody. */
export const countAttempt = (tx: Tx, codeHash: Buffer) => tx`
  update codes set attempts = attempts + 1 where code_hash = ${codeHash}`

export interface NewRefreshToken {
  id: string
  token_hash: Buffer
  rotating: boolean
  issuer: string
  created_at: Date
  idle_expires_at: Date | null
  /** What an Action said of that, until the next use. */
  idle_limit: Date | null
  expires_at: Date | null
  /** Of the first of a family. */
  metadata: Record<string, string> | null
  /** The key that its holder must prove, by thumbprint. */
  dpop_jkt: string | null
  ip: string
  user_agent: string | null
}

/** The first refresh token, if there is to be one, of the grant that a statement selects as `used`. */
export const firstToken = (tx: Tx, token: NewRefreshToken | undefined, now: Date) => tx`
  insert into refresh_tokens (environment_id, id, token_hash, grant_id, rotating, issuer, created_at, idle_expires_at,
    expires_at, dpop_jkt, ip, user_agent, refresh_token_metadata)
  select environment_id, ${token?.id ?? ''}, ${token?.token_hash ?? Buffer.alloc(0)}, grant_id,
    ${token?.rotating ?? false}, ${token?.issuer ?? ''}, ${now}, ${token?.idle_expires_at ?? null}::timestamptz,
    ${token?.expires_at ?? null}::timestamptz, ${token?.dpop_jkt ?? null}, ${token?.ip ?? null},
    ${token?.user_agent ?? null}, ${token?.metadata ? tx.json(token.metadata) : null}::jsonb
  from used where ${token !== undefined}`

/**
 * Uses a code up and, with it, issues the first refresh token of the grant. Exactly one of any number of concurrent
 * callers gets a row.
 */
export const redeemCode = (tx: Tx, codeHash: Buffer, now: Date, token: NewRefreshToken | undefined) => tx<
  { grant_id: string }[]
>`
  with used as (
    update codes set used_at = ${now}
    where code_hash = ${codeHash} and used_at is null and expires_at > ${now}
      and exists (select from grants g where g.id = codes.grant_id and g.revoked_at is null)
    returning environment_id, grant_id
  ), issued as (
    ${firstToken(tx, token, now)}
  )
  select grant_id from used`

/**
 * The grant of somebody who signed in without a browser, with its refresh token. @returns no row when what they proved was
 * taken away since
 */
export const insertDirectGrant = (
  tx: Tx,
  environmentId: string,
  grant: Grant,
  proof: Proof,
  token: NewRefreshToken | undefined,
  now: Date,
) => tx<{ grant_id: string }[]>`
  with proven as (${stillProven(tx, grant.user_id, proof)}), used as (
    insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, session_id, connection_id, auth_time, amr, mfa_at, created_at)
    select ${environmentId}, ${grant.id}, user_id, ${grant.client_id}, ${grant.organization_id}, ${grant.audience},
      ${grant.resource_server_identifier}, ${grant.scope}::text[], null, ${grant.connection_id},
      ${grant.auth_time}::timestamptz, ${grant.amr}::text[],
      ${grant.mfa_at ?? null}::timestamptz, ${now}::timestamptz
    from proven returning environment_id, id as grant_id
  ), issued as (
    ${firstToken(tx, token, now)}
  )
  select grant_id from used`

/**
 * The grant that an access token was minted from: of the same person, client and organization, of the API or with a refresh
 * token that is good for it, not younger than the token, and not revoked, nor any that it was exchanged from; with the client
 * that the person signed in to.
 */
export const liveGrantOf = (
  tx: Tx,
  token: { userId: string; clientId: string; organizationId: string | null; audiences: string[]; issuedAt: Date },
) => tx<(Grant & { signed_in_to: string })[]>`
  with recursive line as (
    select g.id as start, g.client_id, g.exchanged_from, g.revoked_at from grants g
    where g.user_id = ${token.userId} and g.client_id = ${token.clientId}
      and g.organization_id is not distinct from ${token.organizationId}::text
      and (g.audience = any(${token.audiences}::text[])
        or exists (select from refresh_tokens t where t.grant_id = g.id)
          and exists (
            select from clients c, jsonb_array_elements(c.refresh_token->'policies') policy
            where c.client_id = g.client_id and policy->>'audience' = any(${token.audiences}::text[])))
      -- The token's time has whole seconds.
      and g.created_at < ${new Date(token.issuedAt.getTime() + 1000)}
    union all
    select l.start, p.client_id, p.exchanged_from, p.revoked_at from line l join grants p on p.id = l.exchanged_from
  )
  select ${grantColumns(tx)},
    (select l.client_id from line l where l.start = g.id and l.exchanged_from is null) as signed_in_to
  from grants g
  where g.id in (select start from line group by start having bool_and(revoked_at is null))
  order by g.created_at desc, g.id limit 1`

/** @returns no row when the grant that it comes from was revoked since; that one is held meanwhile */
export const insertExchangedGrant = (tx: Tx, environmentId: string, grant: Grant, from: string, now: Date) => tx<
  { id: string }[]
>`
  with origin as materialized (select id from grants where id = ${from} and revoked_at is null for key share)
  insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
    scope, session_id, connection_id, auth_time, amr, mfa_at, created_at, exchanged_from)
  select ${environmentId}, ${grant.id}, ${grant.user_id}, ${grant.client_id}, ${grant.organization_id},
    ${grant.audience}, ${grant.resource_server_identifier}, ${grant.scope}::text[], ${grant.session_id},
    ${grant.connection_id}, ${grant.auth_time}::timestamptz, ${grant.amr}::text[],
    ${grant.mfa_at ?? null}::timestamptz, ${now}::timestamptz, id
  from origin returning id`

/** A grant, with the person as they are now. */
export const readGrant = (tx: Tx, id: string) => tx<(Grant & Subject & { revoked_at: Date | null })[]>`
  select ${grantColumns(tx)}, ${subjectOf(tx)}, g.revoked_at from grants g where g.id = ${id}`
