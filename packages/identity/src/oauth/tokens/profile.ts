import { avatarOf } from '../../resources/users/avatar.ts'
import type { UserRecord } from '../grant-store.ts'

/** Claims of OpenID Connect Core §5.4 by scope. `updated_at` is an ISO text, as Auth0 writes it. */
export function profileClaims(user: UserRecord, scope: string[], issuer: string): Record<string, unknown> {
  const claims: Record<string, unknown> = {}
  const put = (name: string, value: unknown) => {
    if (value !== null && value !== undefined) claims[name] = value
  }
  if (scope.includes('profile')) {
    put('name', user.name)
    put('nickname', user.nickname)
    put('given_name', user.given_name)
    put('family_name', user.family_name)
    put('picture', user.picture ?? avatarOf(issuer, user))
    put('updated_at', new Date(user.updated_at).toISOString())
  }
  if (scope.includes('email')) {
    put('email', user.email)
    if (user.email !== null) put('email_verified', user.email_verified)
  }
  if (scope.includes('phone')) {
    put('phone_number', user.phone_number)
    if (user.phone_number !== null) put('phone_number_verified', user.phone_verified ?? false)
  }
  return claims
}
