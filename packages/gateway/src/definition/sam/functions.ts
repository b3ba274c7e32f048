import { isMembers, type Members, members, onlyMembers, optionalText } from '../document.ts'
import { type Place, refused } from '../report.ts'
import type { Dereference } from './parameters.ts'

/** A route that a function asks for. */
export interface ApiEvent {
  readonly apiId: string
  /** `defaultPath` for the default route. */
  readonly path: string
  /** In lower case, or the member of an OpenAPI path item that stands for any. */
  readonly method: string
  readonly auth: Members
  /** Absent for the newest. */
  readonly payloadFormatVersion: unknown
  readonly timeout: unknown
  readonly routeSettings: unknown
  /** What to invoke, as an intrinsic. */
  readonly target: unknown
  /** Of the function: the route is there when the function is. */
  readonly condition: string | null
  /** Of the event's properties. */
  readonly place: Place
}

const eventMembers = [
  ...['ApiId', 'Path', 'Method', 'Auth', 'PayloadFormatVersion', 'RouteSettings', 'TimeoutInMillis'],
]

/** What a function's own place here is made of. */
const functionMembers = [
  ...['FunctionName', 'Handler', 'Runtime', 'MemorySize', 'Timeout', 'Environment', 'AutoPublishAlias', 'Events'],
  ...['CodeUri', 'InlineCode', 'ImageUri'],
]

/** What SAM knows besides, and what only AWS can do. */
const foreignMembers = [
  ...['Architectures', 'AssumeRolePolicyDocument', 'AutoPublishAliasAllProperties', 'AutoPublishCodeSha256'],
  ...['CapacityProviderConfig', 'CodeSigningConfigArn', 'DeadLetterQueue', 'DeploymentPreference', 'Description'],
  ...['DurableConfig', 'EphemeralStorage', 'EventInvokeConfig', 'FileSystemConfigs', 'FunctionScalingConfig'],
  ...['FunctionUrlConfig', 'ImageConfig', 'KmsKeyArn', 'Layers', 'LoggingConfig', 'PackageType'],
  ...['PermissionsBoundary', 'Policies', 'PropagateTags', 'ProvisionedConcurrencyConfig'],
  ...['PublishToLatestPublished', 'RecursiveLoop', 'ReservedConcurrentExecutions', 'Role', 'RolePath'],
  ...['RuntimeManagementConfig', 'SnapStart', 'SourceKMSKeyArn', 'Tags', 'TenancyConfig', 'Tracing'],
  ...['VersionDeletionPolicy', 'VersionDescription', 'VpcConfig'],
]

/** Complains about members of a function, or of the globals of functions, that SAM does not know. */
export function checkFunction(properties: Members, place: Place): void {
  onlyMembers(properties, [...functionMembers, ...foreignMembers], place)
  for (const name of foreignMembers) {
    if (properties[name] !== undefined) place.in(name).info('has no effect here')
  }
}

export interface EventDeps {
  /** The API that events belong to which name none. */
  readonly implicitApi: string
  readonly dereference: Dereference
}

/** The events of type `HttpApi` of a function. */
export function readEvents(id: string, resource: Members, place: Place, deps: EventDeps): readonly ApiEvent[] {
  const properties = propertiesOf(resource)
  const events = properties.Events === undefined ? {} : (members(properties.Events, place) ?? {})
  return Object.entries(events).flatMap(([name, value]) => {
    const event = members(value, place.in(name))
    if (event?.Type === 'Api') place.in(name).info('belongs to a REST API, which is not read')
    if (event?.Type !== 'HttpApi') return []
    onlyMembers(event, ['Type', 'Properties'], place.in(name))
    const at = place.in(name).in('Properties')
    const object = event.Properties === undefined ? {} : members(event.Properties, at)
    const read = object === null ? null : readEvent(id, resource, object, at, deps)
    return read === null ? [] : [read]
  })
}

function readEvent(
  id: string,
  resource: Members,
  object: Members,
  place: Place,
  { implicitApi, dereference }: EventDeps,
): ApiEvent | null {
  onlyMembers(object, eventMembers, place)
  const apiId = object.ApiId === undefined ? implicitApi : referenced(object.ApiId)
  if (apiId === null) return refused(place.in('ApiId'), 'must refer to an API of this template, as !Ref does')
  const textAt = (name: string): string | null =>
    optionalText(dereference(object[name], place.in(name)), place.in(name))
  const path = textAt('Path')
  const method = textAt('Method')
  if ((path === null) !== (method === null)) {
    return refused(place, 'names Path and Method, or neither of them for the route $default')
  }
  const isAny = method === null || ['any', '*', anyMember].includes(method.toLowerCase())
  const auth = object.Auth === undefined ? {} : members(object.Auth, place.in('Auth'))
  if (auth === null) return null
  onlyMembers(auth, ['Authorizer', 'AuthorizationScopes'], place.in('Auth'))
  const authorizer = dereference(auth.Authorizer, place.in('Auth').in('Authorizer'))
  const { AutoPublishAlias: alias } = propertiesOf(resource)
  return {
    apiId,
    path: path === null || path === '$default' ? defaultPath : path,
    method: isAny ? anyMember : method.toLowerCase(),
    auth: authorizer === undefined ? auth : { ...auth, Authorizer: authorizer },
    payloadFormatVersion: object.PayloadFormatVersion,
    timeout: object.TimeoutInMillis,
    routeSettings: object.RouteSettings,
    target: typeof alias === 'string' ? { Ref: aliasId(id, alias) } : { 'Fn::GetAtt': [id, 'Arn'] },
    condition: typeof resource.Condition === 'string' ? resource.Condition : null,
    place,
  }
}

export const anyMember = 'x-amazon-apigateway-any-method'
export const defaultPath = '/$default'

/** The logical id in `!Ref Api`, or in plain text. */
function referenced(value: unknown): string | null {
  if (typeof value === 'string') return value
  return isMembers(value) && typeof value.Ref === 'string' ? value.Ref : null
}

/** The name of a function's alias in place of a reference to a parameter: SAM names a resource by it. */
export function nameAlias(resource: Members, place: Place, dereference: Dereference): Members {
  const properties = propertiesOf(resource)
  if (properties.AutoPublishAlias === undefined) return resource
  const at = place.in('AutoPublishAlias')
  const AutoPublishAlias = optionalText(dereference(properties.AutoPublishAlias, at), at) ?? undefined
  return { ...resource, Properties: { ...properties, AutoPublishAlias } }
}

/** The resources of a function: itself, and its alias. */
export function rewriteFunction(
  id: string,
  resource: Members,
  aliases: Record<string, string>,
): Readonly<Record<string, unknown>> {
  const properties = propertiesOf(resource)
  const { FunctionName, Handler, Runtime, MemorySize, Timeout, Environment, AutoPublishAlias: alias } = properties
  const { CodeUri, InlineCode, ImageUri } = properties
  const known = {
    FunctionName,
    Handler,
    Runtime,
    MemorySize,
    Timeout,
    Environment,
    Code: codeOf({ CodeUri, InlineCode, ImageUri }),
  }
  const { Properties: _own, ...others } = resource
  const lambda = {
    ...others,
    Type: 'AWS::Lambda::Function',
    Properties: Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
  }
  if (typeof alias !== 'string') return { [id]: lambda }
  aliases[`${id}.Alias`] = aliasId(id, alias)
  aliases[`${id}.Version`] = id
  const { Condition } = resource
  const made = {
    Type: 'AWS::Lambda::Alias',
    Properties: { FunctionName: { Ref: id }, Name: alias },
    ...(Condition === undefined ? {} : { Condition }),
  }
  return { [id]: lambda, [aliasId(id, alias)]: made }
}

const aliasId = (id: string, alias: string): string => `${id}Alias${alias.replace(/[^A-Za-z0-9]/g, '')}`

function codeOf({ CodeUri, InlineCode, ImageUri }: Members): unknown {
  if (InlineCode !== undefined) return { ZipFile: InlineCode }
  if (ImageUri !== undefined) return { ImageUri }
  if (isMembers(CodeUri) && CodeUri.Bucket !== undefined) return { S3Bucket: CodeUri.Bucket, S3Key: CodeUri.Key }
  // What SAM uploads when nothing is said: the template's own directory.
  return CodeUri ?? '.'
}

export const propertiesOf = (resource: Members): Members => (isMembers(resource.Properties) ? resource.Properties : {})
