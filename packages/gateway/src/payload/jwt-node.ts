import { renderClaimValue } from '../context.ts'
import type { Call } from '../exchange.ts'

export type JwtNode = {
  readonly claims: Readonly<Record<string, string>>
  readonly scopes: readonly string[] | null
}

/** Every claim is a text. Scopes are the token's whole list, and only where the route asks for any. */
export function jwtNode({ caller, route }: Call): JwtNode | null {
  if (caller.type !== 'JWT') return null
  const { authorization } = route
  const claims: [string, string][] = []
  for (const [name, value] of Object.entries(caller.claims)) {
    const text = renderClaimValue(value, caller.claimsAs)
    if (text !== undefined) claims.push([name, text])
  }
  return {
    claims: Object.fromEntries(claims),
    scopes: authorization.type === 'JWT' && authorization.scopes.length > 0 ? [...caller.scopes] : null,
  }
}
