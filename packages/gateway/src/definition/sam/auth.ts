import { isMembers, type Members, members, onlyMembers } from '../document.ts'
import { type Place, refused, say } from '../report.ts'
import { eachAlternative } from './alternatives.ts'
import { isIntrinsic } from './globals.ts'
import type { Dereference } from './parameters.ts'

/** What `Auth` of an HTTP API says. */
export interface Auth {
  /** Security schemes, as OpenAPI writes them. */
  readonly schemes: Readonly<Record<string, unknown>>
  readonly scopes: ReadonlyMap<string, readonly unknown[]>
  readonly defaultAuthorizer: string | null
}

export function readAuth(value: unknown, place: Place, dereference: Dereference): Auth {
  const object = value === undefined ? {} : (members(value, place) ?? {})
  onlyMembers(object, ['Authorizers', 'DefaultAuthorizer', 'EnableIamAuthorizer'], place)
  if (object.EnableIamAuthorizer === true) {
    place.in('EnableIamAuthorizer').info('IAM authorization is not supported: a route that asks for it is refused')
  }
  const here = place.in('Authorizers')
  const declared = object.Authorizers === undefined ? {} : (members(object.Authorizers, here) ?? {})
  const read = Object.entries(declared).flatMap(([name, item]) => {
    const authorizer = members(item, here.in(name))
    const scheme = authorizer === null ? null : schemeOf(authorizer, here.in(name))
    return authorizer === null || scheme === null ? [] : [{ name, scheme, scopes: authorizer.AuthorizationScopes }]
  })
  const fallback = isNoValue(object.DefaultAuthorizer)
    ? undefined
    : dereference(object.DefaultAuthorizer, place.in('DefaultAuthorizer'))
  const isKnown = typeof fallback === 'string' && Object.hasOwn(declared, fallback)
  if (fallback !== undefined && !isKnown) {
    const message = fallback === 'AWS_IAM' ? 'IAM authorization is not supported' : `${say(fallback)} is no authorizer`
    place.in('DefaultAuthorizer').error(message)
  }
  return {
    schemes: Object.fromEntries(read.map(({ name, scheme }) => [name, scheme])),
    scopes: new Map(read.map(({ name, scopes }) => [name, Array.isArray(scopes) ? scopes : []])),
    // One that is not there is named all the same: its routes must not be open.
    defaultAuthorizer: fallback === undefined ? null : String(fallback),
  }
}

const extension = 'x-amazon-apigateway-authorizer'

function schemeOf(authorizer: Members, place: Place): unknown {
  return 'JwtConfiguration' in authorizer ? jwtScheme(authorizer, place) : functionScheme(authorizer, place)
}

function jwtScheme(authorizer: Members, place: Place): unknown {
  onlyMembers(authorizer, ['JwtConfiguration', 'IdentitySource', 'AuthorizationScopes'], place)
  const here = place.in('JwtConfiguration')
  const jwt = members(authorizer.JwtConfiguration, here)
  if (jwt === null) return null
  if (authorizer.IdentitySource === undefined) return refused(place, 'must name its IdentitySource')
  const lower = Object.fromEntries(Object.entries(jwt).map(([name, item]) => [name.toLowerCase(), item]))
  const scopes = authorizer.AuthorizationScopes
  if (scopes !== undefined && !Array.isArray(scopes)) return refused(place.in('AuthorizationScopes'), 'must be a list')
  return {
    type: 'oauth2',
    [extension]: { type: 'jwt', jwtConfiguration: lower, identitySource: authorizer.IdentitySource },
  }
}

const functionMembers = [
  ...['FunctionArn', 'AuthorizerPayloadFormatVersion', 'EnableSimpleResponses', 'FunctionInvokeRole', 'Identity'],
  'EnableFunctionDefaultPermissions',
]

function functionScheme(authorizer: Members, place: Place): unknown {
  onlyMembers(authorizer, functionMembers, place)
  const { FunctionArn, AuthorizerPayloadFormatVersion, EnableSimpleResponses, FunctionInvokeRole: role } = authorizer
  if (FunctionArn === undefined) return refused(place, 'has neither JwtConfiguration nor FunctionArn')
  const identity = authorizer.Identity === undefined ? {} : members(authorizer.Identity, place.in('Identity'))
  if (identity === null) return null
  const { ReauthorizeEvery: ttl, ...sources } = identity
  onlyMembers(sources, Object.keys(sourceKinds), place.in('Identity'))
  const identitySource = Object.entries(sourceKinds).flatMap(([name, prefix]) => {
    const list = sources[name]
    return Array.isArray(list) ? list.map((item) => `${prefix}${String(item)}`) : []
  })
  const config = {
    type: 'request',
    authorizerUri: FunctionArn,
    authorizerPayloadFormatVersion: AuthorizerPayloadFormatVersion,
    enableSimpleResponses: EnableSimpleResponses,
    authorizerCredentials: role === 'NONE' ? undefined : role,
    authorizerResultTtlInSeconds: ttl,
    identitySource,
  }
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  return { type: 'apiKey', name: 'Unused', in: 'header', [extension]: given }
}

/** In the order in which SAM writes them. */
const sourceKinds = {
  Headers: '$request.header.',
  QueryStrings: '$request.querystring.',
  StageVariables: '$stageVariables.',
  Context: '$context.',
}

/** The `security` of the route that an event makes; always said, so that no route is open by omission. */
export function securityOf(event: Members, auth: Auth, method: string, place: Place): readonly unknown[] | null {
  const { Authorizer: named, AuthorizationScopes: scopes } = event
  // A browser's preflight carries no token.
  const fallback = method === 'options' ? null : auth.defaultAuthorizer
  const name = named === undefined ? fallback : named
  if (name === 'NONE') {
    if (auth.defaultAuthorizer !== null) return open
    return refused(place.in('Authorizer'), 'is open without it, and SAM refuses it where there is no DefaultAuthorizer')
  }
  if (name === null) {
    if (scopes !== undefined) place.in('AuthorizationScopes').error('no authorizer checks these scopes')
    return []
  }
  if (name === 'AWS_IAM') return refused(place.in('Authorizer'), 'IAM authorization is not supported')
  if (typeof name !== 'string' || !Object.hasOwn(auth.schemes, name)) {
    if (name !== auth.defaultAuthorizer) place.in('Authorizer').error(`${say(name)} is no authorizer of the API`)
    return null
  }
  // SAM takes an empty list for nothing said.
  const asked = Array.isArray(scopes) && scopes.length === 0 ? undefined : scopes
  return [{ [name]: asked ?? auth.scopes.get(name) ?? [] }]
}

/** How SAM writes that nobody is asked: an empty list would be nothing said. */
const open = [{ NONE: [] }]

/** Gives operations that say nothing of their own the default authorizer, whichever alternative of them is there. */
export function withDefaultAuthorizer(paths: Members, { defaultAuthorizer, scopes }: Auth): Members {
  if (defaultAuthorizer === null) return paths
  const security = [{ [defaultAuthorizer]: scopes.get(defaultAuthorizer) ?? [] }]
  const guarded = (operation: unknown): unknown => {
    if (!isMembers(operation) || !(integration in operation)) return operation
    const { security: own } = operation
    return own === undefined || (Array.isArray(own) && own.length === 0) ? { ...operation, security } : operation
  }
  const guardedItem = (item: unknown): unknown => {
    if (!isMembers(item)) return item
    const operations = Object.entries(item).map(([method, operation]) => {
      return [method, method === 'options' ? operation : eachAlternative(operation, guarded)] as const
    })
    return Object.fromEntries(operations)
  }
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, eachAlternative(item, guardedItem)]))
}

export const integration = 'x-amazon-apigateway-integration'

const isNoValue = (value: unknown): boolean => isMembers(value) && value.Ref === 'AWS::NoValue'

/** `CorsConfiguration`: true, one origin, or an object, written as OpenAPI writes it. */
export function corsOf(value: unknown, place: Place): Members | null {
  if (value === undefined || value === false) return null
  if (value === true) return { allowOrigins: ['*'] }
  if (isMembers(value) && Array.isArray(value['Fn::If'])) {
    return eachAlternative(value, (one) => corsOf(one, place) ?? { Ref: 'AWS::NoValue' }) as Members
  }
  if (typeof value === 'string' || isIntrinsic(value)) return { allowOrigins: [value] }
  const object = members(value, place)
  if (object === null) return null
  const names = ['AllowCredentials', 'AllowHeaders', 'AllowMethods', 'AllowOrigins', 'ExposeHeaders', 'MaxAge']
  onlyMembers(object, names, place)
  return Object.fromEntries(
    Object.entries(object).map(([name, item]) => [name[0]!.toLowerCase() + name.slice(1), item]),
  )
}
