/**
 * password (RFC 6749 §4.3) and Auth0's password-realm, which names the database. The check, and the limits on guessing,
 * are those of the login page: an account that is blocked there is blocked here.
 */
import { checkPassword, type Refusal } from '../../../login/password-check.ts'
import type { Connection } from '../../configuration.ts'
import { problems } from '../../problems.ts'
import { readDirectRequest, signInDirectly } from '../direct.ts'
import { type GrantHandler, required, type TokenRequest } from '../token.ts'

export const PASSWORD_REALM = 'http://auth0.com/oauth/grant-type/password-realm'

export const password: GrantHandler = async (deps, request) => {
  const { environment, client, parameters } = request
  const [identifier, secret] = [required(parameters, 'username'), required(parameters, 'password')]
  const asked = await readDirectRequest(deps, request)
  const database = databaseOf(request, asked.connections)
  request.about.user_name = identifier.slice(0, 254)
  const attempt = {
    environmentId: environment.id,
    client,
    organizationId: asked.organization?.organization_id,
    asker: request.asker,
  }
  const checked = await checkPassword(deps, attempt, [database], identifier.slice(0, 254), secret)
  if (checked.outcome !== 'right') throw refusalOf(checked.outcome)
  const how = { grantType: 'password', protocol: 'oauth2-password' }
  const tokens = await signInDirectly(deps, request, asked, { ...checked, amr: ['pwd'] }, how)
  if (!tokens) throw refusalOf('wrong')
  return tokens
}

/** The database that is meant, if it may sign people in for this client and organization. */
function databaseOf({ environment, parameters }: TokenRequest, connections: Connection[]): Connection {
  const realm =
    parameters.grant_type === PASSWORD_REALM ? required(parameters, 'realm') : environment.settings.default_directory
  if (!realm) throw problems.no_default_directory()
  const found = connections.find(({ name, strategy }) => name === realm && strategy === 'auth0')
  // One answer for a database that does not exist and for one that is not enabled here.
  if (!found) throw problems.invalid_realm()
  return found
}

export const refusalOf = (outcome: Refusal) =>
  ({
    wrong: problems.wrong_password,
    too_many: problems.too_many_attempts,
    blocked: problems.unauthorized,
    leaked: problems.password_leaked,
  })[outcome]()
