/** How long a client's refresh tokens live, whether they rotate, and which other APIs they are good for. */
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { managementAudience } from '../management-api.ts'
import type { RefreshTokenInput, RefreshTokenSettings } from './schema.ts'
import type { ClientRow } from './store.ts'

const problems = defineProblems({ invalid_body: { status: 400, title: 'Payload validation error: {reason}' } })
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** RFC 9700 §2.2.2: nothing but rotation protects the refresh tokens of a client that cannot authenticate. */
const EXPIRING: RefreshTokenSettings = {
  rotation_type: 'rotating',
  expiration_type: 'expiring',
  leeway: 0,
  token_lifetime: 2_592_000,
  infinite_token_lifetime: false,
  idle_token_lifetime: 1_296_000,
  infinite_idle_token_lifetime: false,
}
const NON_EXPIRING: RefreshTokenSettings = {
  rotation_type: 'non-rotating',
  expiration_type: 'non-expiring',
  leeway: 0,
  token_lifetime: 31_557_600,
  infinite_token_lifetime: true,
  idle_token_lifetime: 2_592_000,
  infinite_idle_token_lifetime: true,
}

/**
 * What a client asked of its refresh tokens, upon what it has.
 *
 * @throws Problem `invalid_body`
 */
export function refreshTokens(
  isPublic: boolean,
  present: RefreshTokenSettings | null,
  asked: RefreshTokenInput | null | undefined,
): RefreshTokenSettings {
  const usual = isPublic ? EXPIRING : NON_EXPIRING
  if (asked === undefined) return present ?? usual
  if (asked === null) return usual
  const { policies: named, ...given } = asked
  // None is how Auth0's tools say: as it is without.
  const policies = named === undefined ? present?.policies : named?.length ? named : undefined
  // Another kind of expiry brings its own lifetimes, not those that the other kind left behind.
  const standard = asked.expiration_type === 'expiring' ? EXPIRING : NON_EXPIRING
  const { policies: _, ...base } = present?.expiration_type === asked.expiration_type ? present : standard
  const next = { ...base, ...given, ...(policies ? { policies } : {}) }
  const audiences = policies?.map(({ audience }) => audience) ?? []
  const twice = audiences.find((audience, index) => audiences.indexOf(audience) !== index)
  if (twice !== undefined) throw refuse(`'refresh_token.policies' names '${twice}' twice.`)
  if (next.infinite_token_lifetime || next.infinite_idle_token_lifetime) return next
  if (given.idle_token_lifetime !== undefined && given.idle_token_lifetime > next.token_lifetime) {
    throw refuse("'refresh_token.idle_token_lifetime' must not exceed 'token_lifetime'.")
  }
  return { ...next, idle_token_lifetime: Math.min(next.idle_token_lifetime, next.token_lifetime) }
}

/** Browsers keep what they are given where others may read it. @throws Problem `invalid_body` */
export function refuseLastingTokens({ app_type, refresh_token }: ClientRow): void {
  if (app_type !== 'spa') return
  if (refresh_token?.rotation_type !== 'rotating' || refresh_token.expiration_type !== 'expiring') {
    throw refuse("'refresh_token' of a single page application must be rotating and expiring.")
  }
}

/**
 * What manages the environment is entered by the front door, with a sign-in that asks for it.
 *
 * @throws Problem `invalid_body`
 */
export function refuseManagementPolicies({ origins }: { origins: string[] }, { refresh_token }: ClientRow): void {
  const own = origins.map(managementAudience)
  if (refresh_token?.policies?.some(({ audience }) => own.includes(audience))) {
    throw refuse("'refresh_token.policies' cannot name the Management API.")
  }
}
