import { type IdentitySource, type JwtAuthorizer, limits } from '../api.ts'
import { type Discover, discoveryUrlOf, issuerOfDiscoveryUrl } from '../authorizers/discovery.ts'
import { type Members, members, onlyMembers, textList } from './document.ts'
import type { Place } from './report.ts'
import { resolvedText, type Variables } from './variables.ts'

export interface AuthorizerDeps {
  readonly discover: Discover
  readonly stageVariables: Variables
}

const extension = 'x-amazon-apigateway-authorizer'

/** Reads every security scheme into an authorizer. A scheme that cannot be enforced is an error, used or not. */
export async function readAuthorizers(
  schemes: unknown,
  place: Place,
  deps: AuthorizerDeps,
): Promise<Record<string, JwtAuthorizer>> {
  const all = schemes === undefined ? {} : members(schemes, place)
  const authorizers: Record<string, JwtAuthorizer> = {}
  for (const [name, scheme] of Object.entries(all ?? {})) {
    const authorizer = await readScheme(scheme, place.in(name), deps)
    if (authorizer !== null) authorizers[name] = authorizer
  }
  if (Object.keys(authorizers).length > limits.authorizers) {
    place.error(`an API has at most ${limits.authorizers} authorizers`)
  }
  return authorizers
}

async function readScheme(value: unknown, place: Place, deps: AuthorizerDeps): Promise<JwtAuthorizer | null> {
  const scheme = members(value, place)
  if (scheme === null) return null
  onlyMembers(scheme, ['type', 'flows', 'description', 'openIdConnectUrl', 'in', 'name', extension, authtype], place)
  if (authtype in scheme) return refused(place.in(authtype), 'IAM authorization is not supported')
  if (scheme.type === 'apiKey') return refused(place, 'Lambda authorizers (scheme type apiKey) are not supported')
  if (scheme.type !== 'oauth2' && scheme.type !== 'openIdConnect') {
    return refused(place.in('type'), `the scheme type must be "oauth2" or "openIdConnect", not ${say(scheme.type)}`)
  }
  if (!(extension in scheme)) return refused(place, `has no ${extension}, so nothing would check its tokens`)
  return readJwt(scheme, place, deps)
}

const authtype = 'x-amazon-apigateway-authtype'

async function readJwt(scheme: Members, place: Place, deps: AuthorizerDeps): Promise<JwtAuthorizer | null> {
  const here = place.in(extension)
  const config = members(scheme[extension], here)
  if (config === null) return null
  if (config.type !== 'jwt') return refused(here.in('type'), `the type must be "jwt", not ${say(config.type)}`)
  onlyMembers(config, ['type', 'jwtConfiguration', 'identitySource'], here)
  const jwt = members(config.jwtConfiguration, here.in('jwtConfiguration'))
  const identitySource = readIdentitySource(config.identitySource, here.in('identitySource'))
  if (jwt === null || identitySource === null) return null
  onlyMembers(jwt, ['issuer', 'audience'], here.in('jwtConfiguration'))
  const audiencePlace = here.in('jwtConfiguration').in('audience')
  const audience = textList(jwt.audience, audiencePlace)
    .map((item, index) => resolvedText(item, deps.stageVariables, audiencePlace.in(index)))
    .filter((item) => item !== null)
  if (audience.length === 0 || audience.length > limits.audiences) {
    return refused(audiencePlace, `names 1 to ${limits.audiences} audiences, or any token of the issuer would do`)
  }
  const issuer = await readIssuer(scheme, jwt, place, deps)
  return issuer === null ? null : { type: 'JWT', issuer, audience, identitySource }
}

// The discovery document is read now, as AWS does, so that a wrong issuer is an error of the import and not a 401 of
// every later request.
async function readIssuer(scheme: Members, jwt: Members, place: Place, deps: AuthorizerDeps): Promise<string | null> {
  if (jwt.issuer !== undefined) {
    const here = place.in(extension).in('jwtConfiguration').in('issuer')
    const issuer = resolvedText(jwt.issuer, deps.stageVariables, here)
    if (issuer === null) return null
    const found = await discovered(discoveryUrlOf(issuer), here, deps)
    if (found === null || found === issuer) return found
    return refused(here, `the issuer calls itself ${say(found)}: the two must be equal, trailing slash included`)
  }
  const here = place.in('openIdConnectUrl')
  if (scheme.type !== 'openIdConnect') return refused(place.in(extension), 'jwtConfiguration must name the issuer')
  const url = resolvedText(scheme.openIdConnectUrl, deps.stageVariables, here)
  const derived = url === null ? null : issuerOfDiscoveryUrl(url)
  if (url === null) return null
  if (derived === null)
    return refused(here, 'must be the full discovery URL, ending in /.well-known/openid-configuration')
  const found = await discovered(url, here, deps)
  // The URL alone does not tell whether the issuer ends in a slash; the document does.
  if (found === null || found === derived || found === `${derived}/`) return found
  return refused(here, `the issuer calls itself ${say(found)}, which is not where this document lies`)
}

async function discovered(url: string, place: Place, { discover }: AuthorizerDeps): Promise<string | null> {
  try {
    return (await discover(url)).issuer
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return refused(place, `the discovery document cannot be used: ${reason}. Start the issuer, or correct its address`)
  }
}

function readIdentitySource(value: unknown, place: Place): IdentitySource | null {
  const source = Array.isArray(value) && value.length === 1 ? value[0] : (value ?? '$request.header.Authorization')
  const match =
    typeof source === 'string' ? /^\$request\.(header|querystring)\.([A-Za-z0-9!#$%&'*+\-.^_`|~]+)$/.exec(source) : null
  if (match === null) {
    return refused(place, 'must be one "$request.header.Name" or "$request.querystring.name"')
  }
  return match[1] === 'header'
    ? { from: 'header', name: match[2]!.toLowerCase() }
    : { from: 'querystring', name: match[2]! }
}

function refused(place: Place, message: string): null {
  place.error(message)
  return null
}

const say = (value: unknown): string => JSON.stringify(value) ?? 'absent'
