import { defineProblems } from '@tenantry/kernel/problem.ts'
import { present } from '../wire.ts'
import type { RevokeRefreshTokens } from './schema.ts'
import type { RefreshTokenRow } from './store.ts'

export const problems = defineProblems({
  inexistent_refresh_token: { status: 404, title: 'The refresh token does not exist.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

/** What a token without an API is good for. */
export const userinfoAudience = (issuer: string): string => `${issuer}userinfo`

export function shown(row: RefreshTokenRow, issuer: string) {
  const { grant_id: _, audience, scope, initial_ip, initial_user_agent, last_ip, last_user_agent, ...rest } = row
  return {
    ...present(rest),
    device: present({ initial_ip, initial_user_agent, last_ip, last_user_agent }),
    resource_servers: [{ audience: audience ?? userinfoAudience(issuer), scopes: scope.join(' ') }],
  }
}

/**
 * Either a list of tokens, or a description of them that names somebody. An empty one would mean everybody's.
 *
 * @throws Problem `invalid_body`
 */
export function refuseVague({ ids, user_id, client_id, audience }: RevokeRefreshTokens): void {
  const described = user_id !== undefined || client_id !== undefined
  const reason =
    ids !== undefined && (described || audience !== undefined)
      ? "'ids' stands alone: leave out user_id, client_id and audience."
      : ids === undefined && !described
        ? "Name the tokens with 'ids', or whose they are with 'user_id' or 'client_id'."
        : undefined
  if (reason) throw problems.invalid_body({ facts: { reason } })
}
