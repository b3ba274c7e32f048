/**
 * Auth0's MFA API as an audience: `{issuer}mfa/`. An access token for it reads a person's authenticators and removes one.
 * Adding one by API stays with the mfa_token, since only the first one may be added so.
 *
 * Removing is the weak moment of every second factor. So it takes a token of a sign-in in which the second factor was
 * given, a short while ago; whoever stole a password, or found a browser that was left open, removes nothing.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Keyrings } from '../../keys/keyring.ts'
import type { Person } from '../../login/factors/factor.ts'
import * as login from '../../login/store.ts'
import type { LogEntry } from '../../logs/tenant-log.ts'
import type { Configuration, ResourceServer } from '../configuration.ts'
import { liveGrantOf } from '../grant-store.ts'
import { problems } from '../problems.ts'
import { readSubjectToken } from '../token/subject-token.ts'

/** As on a person's own account page. */
const FRESH_SECONDS = 600

export const mfaAudience = (environment: Pick<RequestEnvironment, 'issuer'>): string => `${environment.issuer}mfa/`

/** It stands in no table, so nothing of it can be changed, and no machine be granted it. */
export const mfaApi = (environment: RequestEnvironment): ResourceServer => ({
  identifier: mfaAudience(environment),
  is_system: true,
  name: 'MFA',
  scopes: [{ value: 'read:authenticators' }, { value: 'remove:authenticators' }],
  skip_consent_for_verifiable_first_party_clients: true,
  allow_offline_access: false,
  token_lifetime: FRESH_SECONDS,
  token_lifetime_for_web: FRESH_SECONDS,
  enforce_policies: false,
  signing_alg: 'RS256',
  proof_of_possession: null,
  token_dialect: 'access_token',
})

export interface MfaApiDependencies {
  database: Database
  configuration: Configuration
  keyrings: Keyrings
  clock: Clock
}

/** @throws Problem `invalid_token`, `access_denied` without the scope or, where it is needed, a fresh second factor */
export async function openMfaAccessToken(
  { database, configuration, keyrings, clock }: MfaApiDependencies,
  environment: RequestEnvironment,
  token: string,
  needs: { scope: string; freshFactor: boolean },
  about: Partial<LogEntry>,
): Promise<Person> {
  const now = clock.now()
  const keyring = await keyrings(environment.id)
  const claims = await readSubjectToken({ environment, keyring, now }, token).catch((cause: unknown) => {
    throw problems.invalid_token({ cause })
  })
  if (!claims.audiences.includes(mfaAudience(environment)))
    throw problems.invalid_token({ internal: 'another audience' })
  if (!claims.scope.includes(needs.scope)) {
    throw problems.access_denied({ facts: { reason: `Insufficient scope, expected: ${needs.scope}` } })
  }
  const [grant] = await database.once(environment.id, (tx) => liveGrantOf(tx, claims))
  const [user] = await database.once(environment.id, (tx) => login.person(tx, claims.userId))
  if (!grant || !user) throw problems.invalid_token({ internal: 'its grant was revoked, or its person is out' })
  const isFresh = grant.mfa_at ? addSeconds(grant.mfa_at, FRESH_SECONDS) > now : false
  if (needs.freshFactor && !isFresh) {
    const reason = 'Sign in again with a second factor: prompt=login and acr_values of multi-factor.'
    throw problems.access_denied({ facts: { reason } })
  }
  const client = await configuration.client(environment.id, claims.clientId)
  return {
    environment,
    user,
    product: client?.name ?? environment.name,
    about: { ...about, client_id: claims.clientId, client_name: client?.name ?? null },
  }
}
