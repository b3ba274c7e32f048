/** The lives of refresh tokens, by the client's policy (Auth0's `refresh_token` member). */
import { addSeconds } from '@tenantry/kernel/clock.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { Client } from '../configuration.ts'
import type { ActionClaims, NewRefreshToken } from '../grant-store.ts'
import type { RefreshTokenPolicy } from '../store.ts'

const DAY = 86_400

/** What holds for a client that says nothing: rotation for public clients, since nothing else protects their tokens. */
export function refreshPolicy(client: Client): Required<RefreshTokenPolicy> {
  const isPublic = client.token_endpoint_auth_method === 'none'
  return {
    rotation_type: isPublic ? 'rotating' : 'non-rotating',
    expiration_type: isPublic ? 'expiring' : 'non-expiring',
    leeway: 0,
    token_lifetime: 30 * DAY,
    infinite_token_lifetime: false,
    idle_token_lifetime: 15 * DAY,
    infinite_idle_token_lifetime: false,
    ...client.refresh_token,
  }
}

type TokenEnds = Pick<NewRefreshToken, 'idle_expires_at' | 'idle_limit' | 'expires_at'>

export interface MadeRefreshToken {
  handle: string
  row: NewRefreshToken
}

/** What a token is made from: the token request, as far as it matters. */
export interface TokenCause {
  client: Client
  environment: { issuer: string }
  now: Date
  browser: { ip: string; userAgent: string | undefined }
  provenKey: string | undefined
}

/** @param claims what Actions decided, which may include texts to keep beside it */
export const firstRefreshToken = (cause: TokenCause, claims: ActionClaims): MadeRefreshToken => {
  const policy = refreshPolicy(cause.client)
  const ends = { expires_at: absoluteEnd(policy, cause.now), ...rest(policy, cause.now, undefined) }
  return make(cause, ends, claims.refreshTokenMetadata ?? null)
}

/** What Actions said of how long a token lasts, and how long it may rest until the next use. */
export interface AskedEnds {
  expiresAt?: Date
  idleExpiresAt?: Date
}

/** A successor inherits the end of its family: rotation does not extend the absolute lifetime, and Actions only shorten. */
export const endsAfterUse = (
  policy: Required<RefreshTokenPolicy>,
  present: Date | null,
  now: Date,
  asked: AskedEnds,
): TokenEnds => ({
  // A family that began without an end gets one when the client is told to expire its tokens.
  expires_at: earlier(present ?? absoluteEnd(policy, now), asked.expiresAt),
  ...rest(policy, now, asked.idleExpiresAt),
})

export const nextRefreshToken = (cause: TokenCause, ends: TokenEnds): MadeRefreshToken => make(cause, ends, null)

const rest = (policy: Required<RefreshTokenPolicy>, now: Date, asked: Date | undefined) => ({
  idle_expires_at: earlier(idleEnd(policy, now), asked),
  idle_limit: asked ?? null,
})

const earlier = (end: Date | null, asked: Date | undefined): Date | null =>
  asked !== undefined && (end === null || asked < end) ? asked : end

/** Who asks, as it is shown beside the token. */
export const deviceOf = ({ browser }: Pick<TokenCause, 'browser'>) => ({
  ip: browser.ip,
  user_agent: browser.userAgent?.slice(0, 400) ?? null,
})

function make(cause: TokenCause, ends: TokenEnds, metadata: Record<string, string> | null): MadeRefreshToken {
  const { client, environment, now } = cause
  const policy = refreshPolicy(client)
  const handle = randomHandle()
  return {
    handle,
    row: {
      id: newId.uuid(),
      token_hash: hashHandle(handle),
      rotating: policy.rotation_type === 'rotating',
      issuer: environment.issuer,
      created_at: now,
      ...ends,
      metadata,
      // A client that authenticates holds its tokens by that already (RFC 9449 §5).
      dpop_jkt: client.token_endpoint_auth_method === 'none' ? (cause.provenKey ?? null) : null,
      ...deviceOf(cause),
    },
  }
}

export const idleEnd = (policy: Required<RefreshTokenPolicy>, now: Date): Date | null =>
  policy.expiration_type === 'non-expiring' || policy.infinite_idle_token_lifetime
    ? null
    : addSeconds(now, policy.idle_token_lifetime)

export const absoluteEnd = (policy: Required<RefreshTokenPolicy>, now: Date): Date | null =>
  policy.expiration_type === 'non-expiring' || policy.infinite_token_lifetime
    ? null
    : addSeconds(now, policy.token_lifetime)
