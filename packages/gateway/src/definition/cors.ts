import type { Cors } from '../api.ts'
import { corsFault } from '../cors.ts'
import { members, onlyMembers, textList } from './document.ts'
import type { Place } from './report.ts'
import { resolvedText, type Variables } from './variables.ts'

/** Reads `x-amazon-apigateway-cors`. */
export function readCors(value: unknown, stageVariables: Variables, place: Place): Cors | null {
  if (value === undefined) return null
  const object = members(value, place)
  if (object === null) return null
  const lists = ['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders']
  onlyMembers(object, [...lists, 'allowCredentials', 'maxAge'], place)
  const list = (name: string): readonly string[] =>
    (object[name] === undefined ? [] : textList(object[name], place.in(name)))
      .map((item, index) => resolvedText(item, stageVariables, place.in(name).in(index)))
      .filter((item) => item !== null)
  const { allowCredentials = false, maxAge = null } = object
  if (typeof allowCredentials !== 'boolean') place.in('allowCredentials').error('must be true or false')
  if (maxAge !== null && !(typeof maxAge === 'number' && Number.isInteger(maxAge) && maxAge >= 0 && maxAge <= 86_400)) {
    place.in('maxAge').error('must be a number of seconds from 0 to 86400')
  }
  const cors: Cors = {
    allowOrigins: list('allowOrigins'),
    allowCredentials: allowCredentials === true,
    allowMethods: list('allowMethods').map((method) => method.toUpperCase()),
    allowHeaders: list('allowHeaders').map((name) => name.toLowerCase()),
    exposeHeaders: list('exposeHeaders').map((name) => name.toLowerCase()),
    maxAge: typeof maxAge === 'number' ? maxAge : null,
  }
  // They become header values.
  const odd = [...cors.allowMethods, ...cors.allowHeaders, ...cors.exposeHeaders].find((name) => !token.test(name))
  if (odd !== undefined) place.error(`"${odd}" is not a method or header name`)
  const fault = corsFault(cors)
  if (fault !== null) place.error(fault)
  return cors
}

const token = /^[\w!#$%&'*+\-.^`|~]+$/
