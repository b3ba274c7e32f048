import { limits, type Stage, type Throttling, unlimited } from '../../api.ts'
import { flag, isMembers, type Members, members, onlyMembers, textMap, withoutIgnored } from '../document.ts'
import { type Place, refused } from '../report.ts'
import type { Resource, Template } from './template.ts'

const ignored = ['Tags', 'Description', 'ClientCertificateId', 'AccessPolicyId']

/** Reads an `AWS::ApiGatewayV2::Stage`. */
export function readStage(resource: Resource, template: Template): Stage | null {
  const known = ['ApiId', 'StageName', 'AutoDeploy', 'DeploymentId', 'DefaultRouteSettings', 'RouteSettings']
  const { properties } = resource
  const place = resource.place.in('Properties')
  // The destination of the log is something else's id; the gateway writes where it was told to.
  const { AccessLogSettings: log, ...others } = properties
  const object = template.read({ ...resource, properties: others }, [...known, 'StageVariables'], ignored)
  const name = object.StageName
  if (typeof name !== 'string' || !/^(?:\$default|[A-Za-z0-9_-]{1,128})$/.test(name)) {
    return refused(place.in('StageName'), 'must be "$default", or letters, digits, "-" and "_"')
  }
  if (!flag(object.AutoDeploy, place.in('AutoDeploy')) && object.DeploymentId === undefined) {
    place.warn('is never deployed on AWS: set AutoDeploy, or name a deployment. Here it is served')
  }
  const routes =
    object.RouteSettings === undefined ? {} : (members(object.RouteSettings, place.in('RouteSettings')) ?? {})
  const detailed = (item: unknown, at: Place): boolean | null =>
    isMembers(item) && item.DetailedMetricsEnabled !== undefined
      ? flag(item.DetailedMetricsEnabled, at.in('DetailedMetricsEnabled'))
      : null
  const metrics = detailed(object.DefaultRouteSettings, place.in('DefaultRouteSettings'))
  const routeMetrics = Object.entries(routes).flatMap(([key, item]) => {
    const isDetailed = detailed(item, place.in('RouteSettings').in(key))
    return isDetailed === null ? [] : [[key, isDetailed] as const]
  })
  const hasMetrics = metrics === true || routeMetrics.some(([, isDetailed]) => isDetailed)
  return {
    ...(hasMetrics ? { detailedMetrics: { stage: metrics === true, routes: Object.fromEntries(routeMetrics) } } : {}),
    name,
    variables: readStageVariables(object.StageVariables, place.in('StageVariables')),
    accessLogFormat: log === undefined ? null : readFormat(log, place.in('AccessLogSettings'), template),
    throttling: readThrottling(object.DefaultRouteSettings, place.in('DefaultRouteSettings')),
    routeThrottling: Object.fromEntries(
      Object.entries(routes).map(([key, item]) => [key, readThrottling(item, place.in('RouteSettings').in(key))]),
    ),
  }
}

export function readStageVariables(value: unknown, place: Place): Readonly<Record<string, string>> {
  const variables = textMap(value, place)
  const entries = Object.entries(variables)
  if (entries.length > limits.stageVariables) place.error(`a stage has at most ${limits.stageVariables} variables`)
  for (const [name, text] of entries) {
    if (!/^\w{1,64}$/.test(name)) place.in(name).error('the name of a stage variable is of letters, digits and "_"')
    if (!/^[A-Za-z0-9\-._~:/?#&=,]{1,512}$/.test(text)) {
      place.in(name).error(`"${text}" is no value of a stage variable: letters, digits and -._~:/?#&=, are`)
    }
  }
  return variables
}

function readFormat(value: unknown, place: Place, template: Template): string | null {
  const settings = members(value, place)
  if (settings === null) return null
  onlyMembers(settings, ['DestinationArn', 'Format'], place)
  const written = template.evaluate(settings.Format, place.in('Format'))
  // A block of YAML ends in a line feed, the one place where AWS lets it stand.
  const format = typeof written === 'string' ? written.replace(/\r?\n$/, '') : written
  if (typeof format !== 'string' || format.length > 3072 || /[\r\n]/.test(format)) {
    return refused(place.in('Format'), 'must be one line of at most 3072 characters')
  }
  if (/\$context\.(requestId|extendedRequestId)\b/.test(format)) return format
  return refused(place.in('Format'), 'must hold $context.requestId')
}

function readThrottling(value: unknown, place: Place): Throttling {
  if (value === undefined) return unlimited
  const all = members(value, place)
  if (all === null) return unlimited
  const settings = withoutIgnored(all, ['LoggingLevel', 'DataTraceEnabled'], place)
  onlyMembers(settings, ['DetailedMetricsEnabled', 'ThrottlingRateLimit', 'ThrottlingBurstLimit'], place)
  return {
    rateLimit: readLimit(settings, 'ThrottlingRateLimit', place),
    burstLimit: readLimit(settings, 'ThrottlingBurstLimit', place),
  }
}

function readLimit(settings: Members, name: string, place: Place): number | null {
  const value = settings[name]
  if (value === undefined) return null
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  const isWhole = name === 'ThrottlingBurstLimit'
  if (typeof number === 'number' && number >= 0 && (isWhole ? Number.isInteger(number) : Number.isFinite(number))) {
    return number
  }
  return refused(place.in(name), `must be a ${isWhole ? 'whole ' : ''}number, not below 0`)
}

/** The routes that a stage limits must be there: a misspelt key would limit nothing. */
export function checkRouteSettings(stage: Stage, keys: ReadonlySet<string>, place: Place): void {
  const { routeThrottling } = stage
  for (const key of Object.keys(routeThrottling)) {
    if (!keys.has(key)) place.in('Properties').in('RouteSettings').in(key).error(`the API has no route "${key}"`)
  }
}
