import { type Discover, discoveryUrlOf } from '../../authorizers/discovery.ts'
import { said } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest } from '../problems.ts'
import { authorizerOf } from '../wire.ts'
import type { AuthorizerMembers } from './schema.ts'

/**
 * An authorizer's settings after a change to those it had.
 *
 * @throws Problem BadRequestException
 */
export async function authorizerSettings(
  before: Settings,
  { name: _, identityValidationExpression, ...change }: AuthorizerMembers,
): Promise<Settings> {
  if (identityValidationExpression) throw badRequest('identityValidationExpression is not supported for HTTP APIs')
  if (
    before.authorizerType !== undefined &&
    (change.authorizerType ?? before.authorizerType) !== before.authorizerType
  ) {
    throw badRequest('The type of an authorizer cannot be changed; create another one')
  }
  const { jwtConfiguration } = change
  const settings: Settings = said({
    ...before,
    ...change,
    jwtConfiguration: jwtConfiguration ? { ...before.jwtConfiguration, ...jwtConfiguration } : before.jwtConfiguration,
  })
  if (settings.authorizerCredentialsArn === '') delete settings.authorizerCredentialsArn
  await authorizerOf(settings)
  return settings
}

/**
 * The issuer is asked now, as Amazon does, so that a wrong one is an error here and not a 401 of every later request.
 *
 * @throws Problem BadRequestException
 */
export async function checkIssuer(change: AuthorizerMembers, discover: Discover): Promise<void> {
  const issuer = change.jwtConfiguration?.issuer
  if (issuer === undefined || issuer === '') return
  const invalid = (reason: string) =>
    badRequest(
      `Invalid issuer: ${issuer}. Issuer must have a valid discovery endpoint ended with '/.well-known/openid-configuration': ${reason}`,
    )
  const found = await discover(discoveryUrlOf(issuer)).catch((error: Error) => {
    throw invalid(error.message)
  })
  if (found.issuer !== issuer) {
    throw invalid(`it calls itself ${found.issuer}, and the two must be equal, trailing slash included`)
  }
}
