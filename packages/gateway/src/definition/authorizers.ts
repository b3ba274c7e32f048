import { type Authorizer, type IdentitySource, type JwtAuthorizer, limits, type RequestAuthorizer } from '../api.ts'
import { type Discover, discoveryUrlOf } from '../authorizers/discovery.ts'
import { compileContext } from '../context.ts'
import { flag, type Members, members, onlyMembers, textList, wholeNumber, withoutIgnored } from './document.ts'
import { resolvedArnFault } from './function-arn.ts'
import { readFunctionArn, readPayloadVersion, readRole } from './integrations.ts'
import { type Place, refused, say } from './report.ts'
import { resolvedText, type Variables } from './variables.ts'

export interface AuthorizerDeps {
  readonly discover: Discover
  readonly stageVariables: Variables | null
  /** Refuse what goes beyond AWS. */
  readonly strict?: boolean
}

/** What a format calls the members of an authorizer. */
export interface AuthorizerNames {
  readonly type: string
  readonly identitySource: string
  readonly jwt: string
  readonly issuer: string
  readonly audience: string
  readonly uri: string
  readonly credentials: string
  readonly payloadFormatVersion: string
  readonly simpleResponses: string
  readonly ttl: string
  /** Without effect on HTTP APIs. */
  readonly ignored: readonly string[]
}

/**
 * Reads an authorizer of any format. One that cannot be enforced as it is written is an error.
 *
 * @param findIssuer reads the issuer where the format has other places for it than the JWT configuration
 */
export async function readAuthorizer(
  all: Members,
  names: AuthorizerNames,
  place: Place,
  deps: AuthorizerDeps,
  findIssuer: (() => Promise<string | null>) | null = null,
): Promise<Authorizer | null> {
  const object = withoutIgnored(all, names.ignored, place)
  const type = String(object[names.type]).toUpperCase()
  if (type === 'JWT') return readJwt(object, names, place, deps, findIssuer)
  if (type === 'REQUEST') return readRequest(object, names, place, deps)
  return refused(place.in(names.type), `the type must be "jwt" or "request", not ${say(object[names.type])}`)
}

async function readJwt(
  object: Members,
  names: AuthorizerNames,
  place: Place,
  deps: AuthorizerDeps,
  findIssuer: (() => Promise<string | null>) | null,
): Promise<JwtAuthorizer | null> {
  onlyMembers(object, [names.type, names.jwt, names.identitySource], place)
  const here = place.in(names.jwt)
  const jwt = members(object[names.jwt], here)
  const identitySource = readTokenSource(object[names.identitySource], place.in(names.identitySource))
  if (jwt === null || identitySource === null) return null
  onlyMembers(jwt, [names.issuer, names.audience], here)
  const audience = readAudience(jwt[names.audience], here.in(names.audience), deps)
  if (audience === null) return null
  const declared = jwt[names.issuer]
  if (declared === undefined && findIssuer === null) return refused(here, 'must name the issuer')
  const issuer = declared === undefined ? await findIssuer!() : await readIssuer(declared, here.in(names.issuer), deps)
  return issuer === null ? null : { type: 'JWT', issuer, audience, identitySource }
}

/** The audiences of an issuer's tokens; `null` after a complaint. */
export function readAudience(
  value: unknown,
  place: Place,
  { stageVariables }: AuthorizerDeps,
): readonly string[] | null {
  const audience = textList(value, place)
    .map((item, index) => resolvedText(item, stageVariables, place.in(index)))
    .filter((item) => item !== null)
  if (audience.length > 0 && audience.length <= limits.audiences) return audience
  return refused(place, `names 1 to ${limits.audiences} audiences, or any token of the issuer would do`)
}

// The discovery document is read now, as AWS does, so that a wrong issuer is an error of the import and not a 401 of
// every later request.
export async function readIssuer(value: unknown, place: Place, deps: AuthorizerDeps): Promise<string | null> {
  const issuer = resolvedText(value, deps.stageVariables, place)
  if (issuer === null) return null
  const found = await discovered(discoveryUrlOf(issuer), place, deps)
  if (found === null || found === issuer) return found
  return refused(place, `the issuer calls itself ${say(found)}: the two must be equal, trailing slash included`)
}

/** What the discovery document at this address calls its issuer. */
export async function discovered(url: string, place: Place, { discover }: AuthorizerDeps): Promise<string | null> {
  try {
    return (await discover(url)).issuer
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return refused(place, `the discovery document cannot be used: ${reason}. Start the issuer, or correct its address`)
  }
}

function readTokenSource(value: unknown, place: Place): IdentitySource | null {
  const source = Array.isArray(value) && value.length === 1 ? value[0] : (value ?? '$request.header.Authorization')
  const match = typeof source === 'string' ? requestSource.exec(source) : null
  if (match === null) {
    return refused(place, 'must be one "$request.header.Name" or "$request.querystring.name"')
  }
  return match[1] === 'header'
    ? { from: 'header', name: match[2]!.toLowerCase() }
    : { from: 'querystring', name: match[2]! }
}

function readRequest(
  object: Members,
  names: AuthorizerNames,
  place: Place,
  deps: AuthorizerDeps,
): RequestAuthorizer | null {
  const { type, identitySource, uri, credentials, payloadFormatVersion, simpleResponses, ttl } = names
  onlyMembers(object, [type, identitySource, uri, credentials, payloadFormatVersion, simpleResponses, ttl], place)
  const functionArn = readFunctionArn(object[uri], place.in(uri))
  const version = readPayloadVersion(object[payloadFormatVersion], place.in(payloadFormatVersion))
  const isSimple = flag(object[simpleResponses], place.in(simpleResponses))
  const credentialsArn = readRole(object[credentials], place.in(credentials))
  const sources = readSources(object[identitySource], place.in(identitySource), deps)
  // [G] AWS documents no default for HTTP APIs; a verdict that nobody asked to keep is not kept.
  const range = { min: 0, max: limits.authorizerTtlSeconds }
  const seconds = object[ttl] === undefined ? 0 : wholeNumber(object[ttl], range, place.in(ttl))
  if (functionArn === null || version === null || credentialsArn === undefined) return null
  const fault = deps.stageVariables === null ? null : resolvedArnFault(functionArn, deps.stageVariables)
  if (fault !== null) return refused(place.in(uri), fault)
  if (sources === null || seconds === undefined) return null
  if (isSimple && version !== '2.0') return refused(place.in(simpleResponses), 'need the payload format "2.0"')
  if (seconds > 0 && sources.length === 0) {
    return refused(place.in(ttl), 'results are kept by identity source: name one, or set 0')
  }
  if (seconds > 0 && !sources.includes('$context.routeKey')) {
    place.in(identitySource).info('a kept result holds for every route; with "$context.routeKey" it is kept per route')
  }
  return {
    type: 'REQUEST',
    functionArn,
    payloadFormatVersion: version,
    enableSimpleResponses: isSimple,
    identitySource: sources,
    resultTtlSeconds: seconds,
    credentialsArn,
  }
}

/** A list, or one text with commas between. */
function readSources(value: unknown, place: Place, { stageVariables }: AuthorizerDeps): readonly string[] | null {
  if (value === undefined || value === '') return []
  const sources: readonly unknown[] =
    typeof value === 'string' ? value.split(',').map((part) => part.trim()) : asList(value)
  const odd = sources.find((source) => typeof source !== 'string' || !isSource(source))
  if (odd !== undefined || !(typeof value === 'string' || Array.isArray(value))) {
    const forms = '"$request.header.name", "$request.querystring.name", "$context.name" or "$stageVariables.name"'
    return refused(place, `${say(odd ?? value)} is no identity source; they are ${forms}`)
  }
  const missing = (sources as readonly string[]).find((source) => {
    const name = stageSource.exec(source)?.[1]
    return name !== undefined && stageVariables !== null && !Object.hasOwn(stageVariables, name)
  })
  // Every request would be refused for its absence.
  if (missing !== undefined) return refused(place, `the stage has no value for ${missing}: define it for the stage`)
  return sources as readonly string[]
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const requestSource = /^\$request\.(header|querystring)\.([A-Za-z0-9!#$%&'*+\-.^_`|~]+)$/
const stageSource = /^\$stageVariables\.(\w+)$/

function isSource(source: string): boolean {
  if (requestSource.test(source) || stageSource.test(source)) return true
  return source.startsWith('$context.') && compileContext(source.slice('$context.'.length)) !== null
}
