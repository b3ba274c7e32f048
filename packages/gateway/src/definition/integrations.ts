import { type HttpProxyIntegration, type Integration, type LambdaIntegration, limits, methods } from '../api.ts'
import { type Members, members, onlyMembers, optionalText, textMap, wholeNumber, withoutIgnored } from './document.ts'
import { functionArnOf, isRoleArn } from './function-arn.ts'
import { checkMapping, type MappingKind, mappingWarnings } from './parameters.ts'
import { type Place, refused, say } from './report.ts'

/** What a format calls the members of an integration. */
export interface IntegrationNames {
  readonly type: string
  readonly method: string
  readonly uri: string
  readonly payloadFormatVersion: string
  readonly connectionType: string
  readonly connectionId: string
  readonly credentials: string
  readonly subtype: string
  readonly requestParameters: string
  readonly responseParameters: string
  readonly timeout: string
  readonly tls: string
  /** Without effect on HTTP APIs. */
  readonly ignored: readonly string[]
}

/**
 * Reads an integration of any format. What would be executed otherwise than it says is an error.
 *
 * @param object with intrinsics and references resolved
 * @returns `null` after a complaint
 */
export function readIntegration(all: Members, names: IntegrationNames, place: Place): Integration | null {
  const { ignored, ...known } = names
  const object = withoutIgnored(all, ignored, place)
  onlyMembers(object, Object.values(known), place)
  const type = typeof object[names.type] === 'string' ? String(object[names.type]).toUpperCase() : null
  if (type !== 'AWS_PROXY' && type !== 'HTTP_PROXY') {
    return refused(
      place.in(names.type),
      `the type must be "http_proxy" or "aws_proxy", the two that HTTP APIs have, not ${say(object[names.type])}`,
    )
  }
  if (object[names.subtype] !== undefined) {
    return refused(
      place.in(names.subtype),
      'calls to services of AWS are not supported: let a function or an HTTP service make the call',
    )
  }
  if (!isPublic(object, names, place)) return null
  return type === 'AWS_PROXY' ? readLambda(object, names, place) : readHttp(object, names, place)
}

function isPublic(object: Members, names: IntegrationNames, place: Place): boolean {
  const connection = object[names.connectionType]
  if (connection !== undefined && String(connection).toUpperCase() !== 'INTERNET') {
    place.in(names.connectionType).error('only INTERNET is supported: there are no VPC links outside of AWS')
    return false
  }
  const odd = [names.connectionId, names.tls].filter((name) => object[name] !== undefined)
  for (const name of odd) place.in(name).error(`"${name}" belongs to private integrations, which are not supported`)
  return odd.length === 0
}

function readHttp(object: Members, names: IntegrationNames, place: Place): HttpProxyIntegration | null {
  const version = object[names.payloadFormatVersion]
  if (version !== undefined && Number(version) !== 1) {
    return refused(place.in(names.payloadFormatVersion), 'must be "1.0" for an HTTP integration')
  }
  if (object[names.credentials] !== undefined) {
    return refused(place.in(names.credentials), 'an HTTP integration takes no credentials')
  }
  const method = readMethod(object[names.method], place.in(names.method))
  const shared = readShared(object, names, place)
  const uri = object[names.uri]
  if (typeof uri !== 'string') return refused(place.in(names.uri), 'must be a URL')
  return method === null || shared === null ? null : { type: 'HTTP_PROXY', method, uri, ...shared }
}

function readLambda(object: Members, names: IntegrationNames, place: Place): LambdaIntegration | null {
  const method = object[names.method]
  if (method !== undefined && String(method).toUpperCase() !== 'POST') {
    return refused(place.in(names.method), 'must be POST: that is how functions are invoked')
  }
  const here = place.in(names.payloadFormatVersion)
  const payloadFormatVersion = readPayloadVersion(object[names.payloadFormatVersion], here)
  const functionArn = readFunctionArn(object[names.uri], place.in(names.uri))
  const credentialsArn = readRole(object[names.credentials], place.in(names.credentials))
  const shared = readShared(object, names, place)
  if (payloadFormatVersion === null || functionArn === null || credentialsArn === undefined || shared === null) {
    return null
  }
  return { type: 'AWS_PROXY', functionArn, payloadFormatVersion, credentialsArn, ...shared }
}

/** The payload format of a function's events. AWS assumes none either. */
export function readPayloadVersion(value: unknown, place: Place): '1.0' | '2.0' | null {
  if (value !== undefined && Number(value) === 1) return '1.0'
  if (value !== undefined && Number(value) === 2) return '2.0'
  return refused(place, `must be "1.0" or "2.0", which decides what the function is given, not ${say(value)}`)
}

export function readFunctionArn(value: unknown, place: Place): string | null {
  const arn = typeof value === 'string' ? functionArnOf(value) : null
  if (arn !== null) return arn
  return refused(place, `${say(value)} is neither the ARN of a function nor the URI that invokes one`)
}

/** A role's ARN; `null` where none is named, `undefined` after a complaint. */
export function readRole(value: unknown, place: Place): string | null | undefined {
  const text = optionalText(value, place)
  if (text === null || isRoleArn(text)) return text
  place.error(`${say(text)} is not the ARN of a role; calling with the client's identity is not supported`)
  return undefined
}

type Shared = Pick<HttpProxyIntegration, 'timeoutMs' | 'requestParameters' | 'responseParameters'>

function readShared(object: Members, names: IntegrationNames, place: Place): Shared | null {
  const value = object[names.timeout]
  const timeoutMs =
    value === undefined ? limits.timeoutMs.max : wholeNumber(value, limits.timeoutMs, place.in(names.timeout))
  const requestParameters = readMapping('request', object[names.requestParameters], place.in(names.requestParameters))
  const responses = object[names.responseParameters]
  const here = place.in(names.responseParameters)
  const byStatus = responses === undefined ? {} : (members(responses, here) ?? {})
  const responseParameters = Object.fromEntries(
    Object.entries(byStatus).map(([status, mapping]) => {
      if (!/^[2-5]\d\d$/.test(status)) here.in(status).error('must be a status from 200 to 599')
      return [status, readMapping('response', mapping, here.in(status))]
    }),
  )
  return timeoutMs === undefined ? null : { timeoutMs, requestParameters, responseParameters }
}

function readMapping(kind: MappingKind, value: unknown, place: Place): Readonly<Record<string, string>> {
  const mapping = textMap(value, place)
  for (const { key, message } of checkMapping(kind, mapping)) place.in(key).error(message)
  for (const { key, message } of mappingWarnings(kind, mapping)) place.in(key).warn(message)
  return mapping
}

function readMethod(value: unknown, place: Place): string | null {
  const method = typeof value === 'string' ? value.toUpperCase() : null
  if (method === 'ANY' || methods.some((known) => known === method)) return method
  return refused(place, `must be ANY or one of ${methods.join(', ')}`)
}
