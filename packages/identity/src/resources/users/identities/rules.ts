import { defineProblems } from '@tenantry/kernel/problem.ts'
import { decodeJwt } from 'jose'
import type { RequestEnvironment } from '../../../environments/environment.ts'
import { verifyJwt } from '../../../keys/jwt.ts'
import type { Keyring } from '../../../keys/keyring.ts'
import type { UserRow } from '../store.ts'
import type { LinkIdentity } from './schema.ts'

export const problems = defineProblems({
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
  same_user: { status: 400, title: 'Main account and specified secondary account are the same.' },
  main_identity: { status: 400, title: 'The main identity of a user cannot be unlinked.' },
  too_many_identities: { status: 400, title: 'A user has at most {limit} identities.' },
  inexistent_identity: { status: 404, title: 'The user has no such identity.' },
  identity_conflict: { status: 409, title: 'The specified identity is linked already.' },
})
export const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** They travel in every answer about the user. */
export const MAXIMUM_IDENTITIES = 20

/** The user to be linked, if the body names one and does not bring a token. @throws Problem `invalid_body` */
export function namedUser(body: LinkIdentity): { userId: string; connectionId: string | undefined } | undefined {
  const { provider, user_id, connection_id, link_with } = body
  if (link_with !== undefined) {
    if (provider === undefined && user_id === undefined && connection_id === undefined) return undefined
    throw refuse("'link_with' stands alone: the token says who is linked.")
  }
  if (provider === undefined) throw refuse('Missing required property: provider')
  if (user_id === undefined) throw refuse('Missing required property: user_id')
  const id = String(user_id)
  return { userId: id.startsWith(`${provider}|`) ? id : `${provider}|${id}`, connectionId: connection_id }
}

/** Members that access tokens have and ID tokens have not. */
const OF_ACCESS_TOKENS = ['scope', 'azp', 'client_id', 'gty', 'jti']

/** The client for which an ID token says to be made. @throws Problem `invalid_body` */
export function claimedClient(token: string): string {
  try {
    const claims = decodeJwt(token)
    if (typeof claims.aud === 'string' && !OF_ACCESS_TOKENS.some((name) => name in claims)) return claims.aud
  } catch {
    // Not a token at all: refused alike.
  }
  throw noIdToken()
}

/**
 * Who signed in, by an ID token of this environment for one of its clients.
 *
 * @param clientId a client that exists
 * @throws Problem `invalid_body`
 */
export async function subjectOf(
  keyring: Keyring,
  environment: RequestEnvironment,
  token: string,
  clientId: string,
  now: Date,
): Promise<string> {
  const issuers = environment.origins.map((origin) => `${origin}/`)
  const claims = await verifyJwt(keyring, token, { issuers, audiences: [clientId], now }).catch((cause: unknown) => {
    throw noIdToken(cause)
  })
  return claims.sub!
}

export const noIdToken = (cause?: unknown) =>
  problems.invalid_body({
    facts: { reason: "'link_with' is not a valid ID token of this issuer. It may have expired: sign in again." },
    cause,
  })

const PROFILE = [
  'email',
  'email_verified',
  'username',
  'phone_number',
  'phone_verified',
  'name',
  'nickname',
  'given_name',
  'family_name',
  'picture',
] as const
type Profile = Pick<UserRow, (typeof PROFILE)[number]>

/** What a linked identity keeps of the user it was. Metadata is not part of it. */
export const profileOf = (row: Profile): Partial<Profile> =>
  Object.fromEntries(PROFILE.filter((name) => row[name] !== null).map((name) => [name, row[name]]))

export interface LinkedIdentity {
  provider: string
  identity_id: string
  connection_id: string
  is_primary: boolean
  password_hash: string | null
  profile_data: Partial<Profile> | null
}

/** An identity as a user of its own again. */
export function independent(identity: LinkedIdentity, now: Date): UserRow {
  const profile = identity.profile_data ?? {}
  return {
    user_id: `${identity.provider}|${identity.identity_id}`,
    connection_id: identity.connection_id,
    email: profile.email ?? null,
    email_verified: profile.email_verified ?? false,
    username: profile.username ?? null,
    phone_number: profile.phone_number ?? null,
    phone_verified: profile.phone_verified ?? null,
    name: profile.name ?? null,
    nickname: profile.nickname ?? null,
    given_name: profile.given_name ?? null,
    family_name: profile.family_name ?? null,
    picture: profile.picture ?? null,
    user_metadata: {},
    app_metadata: {},
    blocked: false,
    password_hash: identity.password_hash,
    last_password_reset: null,
    last_login: null,
    last_ip: null,
    logins_count: 0,
    created_at: now,
    updated_at: now,
  }
}
