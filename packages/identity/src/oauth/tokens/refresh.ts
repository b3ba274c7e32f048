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

export const firstRefreshToken = (client: Client, issuer: string, now: Date): MadeRefreshToken =>
  make(client, issuer, now, absoluteEnd(refreshPolicy(client), now))

/** A successor inherits the end of its family: rotation does not extend the absolute lifetime. */
export const nextRefreshToken = (client: Client, issuer: string, now: Date, expiresAt: Date | null): MadeRefreshToken =>
  make(client, issuer, now, expiresAt)

function make(client: Client, issuer: string, now: Date, expiresAt: Date | null): MadeRefreshToken {
  const policy = refreshPolicy(client)
  const handle = randomHandle()
  return {
    handle,
    row: {
      id: newId.uuid(),
      token_hash: hashHandle(handle),
      rotating: policy.rotation_type === 'rotating',
      issuer,
      created_at: now,
      idle_expires_at: idleEnd(policy, now),
      expires_at: expiresAt,
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
