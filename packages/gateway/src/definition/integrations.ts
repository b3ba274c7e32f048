import { type HttpProxyIntegration, limits, methods } from '../api.ts'
import { type Members, members, onlyMembers, withoutIgnored } from './document.ts'
import type { Place } from './report.ts'

const reference = /^#\/components\/x-amazon-apigateway-integrations\/([^/]+)$/
const ignored = [
  'passthroughBehavior',
  'contentHandling',
  'cacheKeyParameters',
  'cacheNamespace',
  'requestTemplates',
  'responses',
]
const unsupported = [
  'credentials',
  'integrationSubtype',
  'requestParameters',
  'responseParameters',
  'connectionId',
  'tlsConfig',
]

/** The integration of an operation, following its reference into `components`. */
export function readIntegration(value: unknown, components: unknown, place: Place): HttpProxyIntegration | null {
  const found = members(value, place)
  if (found === null) return null
  if (!('$ref' in found)) return readObject(found, place)
  const name = typeof found.$ref === 'string' ? reference.exec(found.$ref)?.[1] : undefined
  const target = name === undefined ? undefined : lookUp(components, name)
  if (target === undefined || Object.keys(found).length > 1) {
    place.error(`the reference ${JSON.stringify(found.$ref)} does not lead to an integration in components`)
    return null
  }
  const object = members(target, place)
  return object === null ? null : readObject(object, place)
}

function readObject(all: Members, place: Place): HttpProxyIntegration | null {
  const object = withoutIgnored(all, ignored, place)
  const type = typeof object.type === 'string' ? object.type.toLowerCase() : null
  if (type === 'aws_proxy') return refused(place.in('type'), 'Lambda integrations (aws_proxy) are not supported')
  if (type !== 'http_proxy') return refused(place.in('type'), `the type must be "http_proxy", not ${say(object.type)}`)
  for (const name of unsupported.filter((member) => member in object)) {
    place.in(name).error(`"${name}" is not supported: requests would pass without what it asks for`)
  }
  if (object.connectionType !== undefined && String(object.connectionType).toUpperCase() !== 'INTERNET') {
    return refused(place.in('connectionType'), 'only INTERNET is supported')
  }
  onlyMembers(
    object,
    ['type', 'httpMethod', 'uri', 'payloadFormatVersion', 'connectionType', 'timeoutInMillis', ...unsupported],
    place,
  )
  if (object.payloadFormatVersion !== undefined && Number(object.payloadFormatVersion) !== 1) {
    return refused(place.in('payloadFormatVersion'), 'must be "1.0" for an HTTP integration')
  }
  const method = readMethod(object.httpMethod, place.in('httpMethod'))
  const timeoutMs = readTimeout(object.timeoutInMillis, place.in('timeoutInMillis'))
  if (typeof object.uri !== 'string') return refused(place.in('uri'), 'must be a URL')
  return method === null || timeoutMs === null ? null : { type: 'HTTP_PROXY', method, uri: object.uri, timeoutMs }
}

function readMethod(value: unknown, place: Place): string | null {
  const method = typeof value === 'string' ? value.toUpperCase() : null
  if (method === 'ANY' || methods.some((known) => known === method)) return method
  return refused(place, `must be ANY or one of ${methods.join(', ')}`)
}

function readTimeout(value: unknown, place: Place): number | null {
  const { min, max } = limits.timeoutMs
  if (value === undefined) return max
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  return refused(place, `must be a whole number from ${min} to ${max}`)
}

const lookUp = (components: unknown, name: string): unknown => {
  const all = isObject(components) ? components['x-amazon-apigateway-integrations'] : undefined
  return isObject(all) && Object.hasOwn(all, name) ? all[name] : undefined
}

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null

function refused(place: Place, message: string): null {
  place.error(message)
  return null
}

const say = (value: unknown): string => JSON.stringify(value) ?? 'absent'
