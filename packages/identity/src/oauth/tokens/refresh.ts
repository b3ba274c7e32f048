/** The lives of refresh tokens, by the client's policy (Auth0's `refresh_token` member). */
import { addSeconds } from '@tenantry/kernel/clock.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { Client } from '../configuration.ts'
import type { NewRefreshToken } from '../grant-store.ts'
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
}

export const firstRefreshToken = (cause: TokenCause): MadeRefreshToken =>
  make(cause, absoluteEnd(refreshPolicy(cause.client), cause.now))

/** A successor inherits the end of its family: rotation does not extend the absolute lifetime. */
export const nextRefreshToken = (cause: TokenCause, expiresAt: Date | null): MadeRefreshToken => make(cause, expiresAt)

/** Who asks, as it is shown beside the token. */
export const deviceOf = ({ browser }: Pick<TokenCause, 'browser'>) => ({
  ip: browser.ip,
  user_agent: browser.userAgent?.slice(0, 400) ?? null,
})

function make(cause: TokenCause, expiresAt: Date | null): MadeRefreshToken {
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
      idle_expires_at: idleEnd(policy, now),
      expires_at: expiresAt,
      ...deviceOf(cause),
    },
  }
}

export const idleEnd = (policy: Required<RefreshTokenPolicy>, now: Date): Date | null =>
  policy.expiration_type === 'non-expiring' || policy.infinite_idle_token_lifetime
    ? null
    : addSeconds(now, policy.idle_token_lifetime)

const absoluteEnd = (policy: Required<RefreshTokenPolicy>, now: Date): Date | null =>
  policy.expiration_type === 'non-expiring' || policy.infinite_token_lifetime
    ? null
    : addSeconds(now, policy.token_lifetime)
