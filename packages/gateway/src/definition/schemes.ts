import { type Authorizer, limits } from '../api.ts'
import { issuerOfDiscoveryUrl } from '../authorizers/discovery.ts'
import { type AuthorizerDeps, type AuthorizerNames, discovered, readAuthorizer } from './authorizers.ts'
import { members, onlyMembers } from './document.ts'
import { ownExtension, readExtensions } from './extensions.ts'
import { type Place, refused, say } from './report.ts'
import { resolvedText } from './variables.ts'

export const authorizerExtension = 'x-amazon-apigateway-authorizer'
const authtype = 'x-amazon-apigateway-authtype'

const names: AuthorizerNames = {
  type: 'type',
  identitySource: 'identitySource',
  jwt: 'jwtConfiguration',
  issuer: 'issuer',
  audience: 'audience',
  uri: 'authorizerUri',
  credentials: 'authorizerCredentials',
  payloadFormatVersion: 'authorizerPayloadFormatVersion',
  simpleResponses: 'enableSimpleResponses',
  ttl: 'authorizerResultTtlInSeconds',
  ignored: ['identityValidationExpression'],
}

/** Reads every security scheme into an authorizer. A scheme that cannot be enforced is an error, used or not. */
export async function readSchemes(
  schemes: unknown,
  place: Place,
  deps: AuthorizerDeps,
): Promise<Record<string, Authorizer>> {
  const all = schemes === undefined ? {} : members(schemes, place)
  const authorizers: Record<string, Authorizer> = {}
  for (const [name, scheme] of Object.entries(all ?? {})) {
    const authorizer = await readScheme(scheme, place.in(name), deps)
    if (authorizer !== null) authorizers[name] = authorizer
  }
  if (Object.keys(authorizers).length > limits.authorizers) {
    place.error(`an API has at most ${limits.authorizers} authorizers`)
  }
  return authorizers
}

const schemeMembers = [
  ...['type', 'flows', 'description', 'openIdConnectUrl', 'in', 'name', authorizerExtension, authtype],
  ownExtension,
]

async function readScheme(value: unknown, place: Place, deps: AuthorizerDeps): Promise<Authorizer | null> {
  const scheme = members(value, place)
  if (scheme === null) return null
  onlyMembers(scheme, schemeMembers, place)
  if (authtype in scheme) return refused(place.in(authtype), 'IAM authorization is not supported')
  const types = ['oauth2', 'openIdConnect', 'apiKey']
  if (typeof scheme.type !== 'string' || !types.includes(scheme.type)) {
    return refused(
      place.in('type'),
      `the scheme type must be "oauth2" or "openIdConnect" for tokens, "apiKey" for a function, not ${say(scheme.type)}`,
    )
  }
  if (!(authorizerExtension in scheme)) {
    return refused(place, `has no ${authorizerExtension}, so nothing would check its tokens`)
  }
  const here = place.in(authorizerExtension)
  const config = members(scheme[authorizerExtension], here)
  if (config === null) return null
  const isFunction = String(config.type).toLowerCase() === 'request'
  if (isFunction !== (scheme.type === 'apiKey')) {
    return refused(here.in('type'), 'is "request" with the scheme type "apiKey", and "jwt" with the two others')
  }
  const findIssuer =
    scheme.type === 'openIdConnect' ? () => issuerOf(scheme.openIdConnectUrl, place.in('openIdConnectUrl'), deps) : null
  const authorizer = await readAuthorizer(config, names, here, deps, findIssuer)
  if (!(ownExtension in scheme) || authorizer === null) return authorizer
  const own = place.in(ownExtension)
  if (authorizer.type !== 'JWT') return refused(own, 'belongs to schemes for tokens: a function decides by itself')
  const extensions = await readExtensions(scheme[ownExtension], own, deps)
  return extensions === null ? null : { ...authorizer, extensions }
}

/** The issuer of an `openIdConnect` scheme that names only its discovery document. */
async function issuerOf(value: unknown, place: Place, deps: AuthorizerDeps): Promise<string | null> {
  const url = resolvedText(value, deps.stageVariables, place)
  if (url === null) return null
  const derived = issuerOfDiscoveryUrl(url)
  if (derived === null) {
    return refused(place, 'must be the full discovery URL, ending in /.well-known/openid-configuration')
  }
  const found = await discovered(url, place, deps)
  // The URL alone does not tell whether the issuer ends in a slash; the document does.
  if (found === null || found === derived || found === `${derived}/`) return found
  return refused(place, `the issuer calls itself ${say(found)}, which is not where this document lies`)
}
