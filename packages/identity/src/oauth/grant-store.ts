/** Grants and the handles that point at them. `redeem…` are the only state transitions, each one atomic statement. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'

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
  identities: { connection: string; provider: string; user_id: string; isSocial: boolean }[]
  created_at: string
  updated_at: string
}

/** Everything about the person that a mint needs, as it is now. */
export interface Subject {
  user: UserRecord | null
  is_member: boolean
  permissions: string[]
  roles: string[]
  organization: { id: string; name: string; display_name: string; metadata: Record<string, string> } | null
}

/** Columns of a person that are nobody's business: Actions see all others. */
const HIDDEN = ['password_hash', 'environment_id', 'last_login', 'last_ip', 'name_key']

/** Selected beside any row `g` that has user_id, organization_id and resource_server_identifier. */
const subjectOf = (tx: Tx) => tx`
  (select (to_jsonb(u) - ${HIDDEN}::text[]) || jsonb_build_object('identities', identities_of(u.user_id))
    from users u where u.user_id = g.user_id) as "user",
  (g.organization_id is null or exists (
    select from members m where m.organization_id = g.organization_id and m.user_id = g.user_id)) as is_member,
  permissions_of(g.user_id, g.organization_id, g.resource_server_identifier) as permissions,
  roles_of(g.user_id, g.organization_id) as roles,
  (select jsonb_build_object('id', o.organization_id, 'name', o.name, 'display_name', o.display_name,
      'metadata', o.metadata)
    from organizations o where o.organization_id = g.organization_id) as organization`

const grantColumns = (tx: Tx) => tx`
  g.id, g.user_id, g.client_id, g.organization_id, g.audience, g.resource_server_identifier, g.scope, g.session_id,
  g.connection_id, g.auth_time, g.amr`

export const subject = (tx: Tx, userId: string, organizationId: string | null, identifier: string | null) => tx<
  Subject[]
>`
  select ${subjectOf(tx)}
  from (values (${userId}::text, ${organizationId}::text, ${identifier}::text))
    as g(user_id, organization_id, resource_server_identifier)`

/** What the post-login Actions decided at sign-in, kept for the exchange of the code. */
export interface ActionClaims {
  id: Record<string, unknown>
  access: Record<string, unknown>
  addScopes: string[]
  removeScopes: string[]
}

export interface CodeRow extends Grant, Subject {
  redirect_uri: string
  code_challenge: string | null
  nonce: string | null
  with_auth_time: boolean
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
  claims: ActionClaims
  issuer: string
  expires_at: Date
}

/**
 * @returns no row when the session is gone. It is held meanwhile: whoever ends it waits, and then finds the grant, so
 * that none outlives its session by coming a moment later.
 */
export const insertGrantWithCode = (
  tx: Tx,
  environmentId: string,
  grant: Grant & { session_id: string },
  code: NewCode,
  now: Date,
) => tx<{ grant_id: string }[]>`
  with s as materialized (select from sessions where id = ${grant.session_id} for key share), g as (
    insert into grants (environment_id, id, user_id, client_id, organization_id, audience, resource_server_identifier,
      scope, session_id, connection_id, auth_time, amr, created_at)
    select ${environmentId}, ${grant.id}, ${grant.user_id}, ${grant.client_id}, ${grant.organization_id},
      ${grant.audience}, ${grant.resource_server_identifier}, ${grant.scope}::text[], ${grant.session_id},
      ${grant.connection_id}, ${grant.auth_time}::timestamptz, ${grant.amr}::text[], ${now}::timestamptz
    from s returning id)
  insert into codes (environment_id, code_hash, grant_id, redirect_uri, code_challenge, nonce, with_auth_time, claims,
    issuer, expires_at)
  select ${environmentId}, ${code.code_hash}, g.id, ${code.redirect_uri}, ${code.code_challenge}, ${code.nonce},
    ${code.with_auth_time}, ${tx.json(code.claims as unknown as JSONValue)}, ${code.issuer}, ${code.expires_at}
  from g returning grant_id`

export const readCode = (tx: Tx, codeHash: Buffer) => tx<CodeRow[]>`
  select ${grantColumns(tx)}, ${subjectOf(tx)}, c.redirect_uri, c.code_challenge, c.nonce, c.with_auth_time, c.claims,
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
  expires_at: Date | null
  ip: string
  user_agent: string | null
}

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
    insert into refresh_tokens (environment_id, id, token_hash, grant_id, rotating, issuer, created_at, idle_expires_at,
      expires_at, ip, user_agent)
    select environment_id, ${token?.id ?? ''}, ${token?.token_hash ?? Buffer.alloc(0)}, grant_id,
      ${token?.rotating ?? false}, ${token?.issuer ?? ''}, ${now}, ${token?.idle_expires_at ?? null}::timestamptz,
      ${token?.expires_at ?? null}::timestamptz, ${token?.ip ?? null}, ${token?.user_agent ?? null}
    from used where ${token !== undefined}
  )
  select grant_id from used`

export interface RefreshTokenRow extends Grant, Subject {
  token_id: string
  rotating: boolean
  issuer: string
  rotated_at: Date | null
  idle_expires_at: Date | null
  expires_at: Date | null
  revoked_at: Date | null
}

export const readRefreshToken = (tx: Tx, tokenHash: Buffer) => tx<RefreshTokenRow[]>`
  select ${grantColumns(tx)}, ${subjectOf(tx)}, t.id as token_id, t.rotating, t.issuer, t.rotated_at, t.idle_expires_at,
    t.expires_at, g.revoked_at
  from refresh_tokens t join grants g on g.id = t.grant_id
  where t.token_hash = ${tokenHash}`

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
) => tx<{ id: string }[]>`
  with old as (
    update refresh_tokens t
    set rotated_at = coalesce(rotated_at, ${now}), last_exchanged_at = ${now}
    where t.id = ${tokenId}
      and (t.rotated_at is null
        or (${leewaySeconds > 0} and t.rotated_at > ${new Date(now.getTime() - leewaySeconds * 1000)} and not exists (
          select from refresh_tokens n where n.previous_id = t.id and n.rotated_at is not null)))
      and exists (select from grants g where g.id = t.grant_id and g.revoked_at is null)
    returning environment_id, id, grant_id
  )
  insert into refresh_tokens (environment_id, id, token_hash, grant_id, previous_id, rotating, issuer, created_at,
    idle_expires_at, expires_at, ip, user_agent)
  select environment_id, ${next.id}, ${next.token_hash}, grant_id, id, ${next.rotating}, ${next.issuer}, ${now},
    ${next.idle_expires_at}, ${next.expires_at}, ${next.ip}, ${next.user_agent}
  from old returning id`

/** A token that does not rotate lives on: its idle time starts again. */
export const touchRefreshToken = (
  tx: Tx,
  tokenId: string,
  now: Date,
  idleExpiresAt: Date | null,
  device: Pick<NewRefreshToken, 'ip' | 'user_agent'>,
) => tx<{ id: string }[]>`
  update refresh_tokens t set last_exchanged_at = ${now}, idle_expires_at = ${idleExpiresAt}, last_ip = ${device.ip},
    last_user_agent = ${device.user_agent}
  where t.id = ${tokenId} and exists (select from grants g where g.id = t.grant_id and g.revoked_at is null)
  returning id`

/** Ends the whole family. Access tokens already out live until they expire. */
export const revokeGrant = (tx: Tx, grantId: string, now: Date) => tx`
  update grants set revoked_at = ${now} where id = ${grantId} and revoked_at is null`
