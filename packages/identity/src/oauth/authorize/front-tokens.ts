/** Tokens in the answer of the authorization endpoint: the implicit and hybrid flows of OIDC Core §3.2 and §3.3. */
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Keyrings } from '../../keys/keyring.ts'
import type { Client, Configuration } from '../configuration.ts'
import type { ActionClaims, Grant, Subject } from '../grant-store.ts'
import { problems } from '../problems.ts'
import { issueAtFront } from '../tokens/issue.ts'
import type { AuthorizationRequest } from './request.ts'
import type { Granted } from './respond.ts'

export interface SignedIn {
  environment: RequestEnvironment
  client: Client
  asked: AuthorizationRequest
  grant: Grant
  subject: Subject
  claims: ActionClaims
  /** What the tokens come beside, if a code was asked for as well. */
  code: string | undefined
  now: Date
}

/** OIDC Core §2: required when max_age was asked; Auth0 tells it after prompt=login too. */
export const withAuthTime = (asked: AuthorizationRequest): boolean =>
  asked.max_age !== undefined || asked.prompt.includes('login')

/** @returns nothing when a code alone was asked for */
export async function frontTokens(
  deps: { configuration: Configuration; keyrings: Keyrings; secrets: Secrets },
  { environment, client, asked, grant, subject, claims, code, now }: SignedIn,
): Promise<Granted> {
  const wanted = {
    accessToken: asked.response_type.includes('token'),
    idToken: asked.response_type.includes('id_token'),
  }
  if (!wanted.accessToken && !wanted.idToken) return {}
  const api = grant.audience === null ? undefined : await deps.configuration.resourceServer(environment, grant.audience)
  if (grant.audience !== null && !api) throw problems.access_denied({ facts: { reason: 'The API is gone.' } })
  const mint = {
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring: await deps.keyrings(environment.id),
    secrets: deps.secrets,
    now,
    client,
    grant,
    subject,
    api,
    claims,
    provenKey: undefined,
    nonce: asked.nonce,
    withAuthTime: withAuthTime(asked),
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  }
  const { expires_in, ...tokens } = await issueAtFront(mint, { ...wanted, code })
  return { ...tokens, ...(expires_in === undefined ? {} : { expires_in: String(expires_in) }) }
}
