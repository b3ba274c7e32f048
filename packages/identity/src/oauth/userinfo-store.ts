/** What Actions put into the ID tokens of a person's last sign-in with a client, for as long as its access tokens may ask. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'

export interface ClaimsKey {
  userId: string
  clientId: string
  organizationId: string | null
}

const isOf = (tx: Tx, { userId, clientId, organizationId }: ClaimsKey) => tx`
  user_id = ${userId} and client_id = ${clientId} and organization_id = ${organizationId ?? ''}`

/** In the place of those of the sign-in before. Most are the same, and then nothing is written. */
export const keepClaims = (tx: Tx, environmentId: string, key: ClaimsKey, claims: Record<string, unknown>) =>
  Object.keys(claims).length === 0
    ? tx<{ claims: object }[]>`delete from userinfo_claims where ${isOf(tx, key)} returning claims`
    : tx<{ claims: object }[]>`
        insert into userinfo_claims (environment_id, user_id, client_id, organization_id, claims)
        values (${environmentId}, ${key.userId}, ${key.clientId}, ${key.organizationId ?? ''},
          ${tx.json(claims as unknown as JSONValue)})
        on conflict (environment_id, user_id, client_id, organization_id) do update set claims = excluded.claims
        where userinfo_claims.claims is distinct from excluded.claims returning claims`

export const keptClaims = (tx: Tx, key: ClaimsKey) => tx<{ claims: Record<string, unknown> }[]>`
  select claims from userinfo_claims where ${isOf(tx, key)}`
