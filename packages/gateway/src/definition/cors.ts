import type { Cors } from '../api.ts'
import { corsFault } from '../cors.ts'
import { token } from '../field-text.ts'
import { flag, members, onlyMembers, textList, wholeNumber } from './document.ts'
import type { Place } from './report.ts'
import { resolvedText, type Variables } from './variables.ts'

/**
 * Reads a CORS configuration of any format.
 *
 * @param spell how the format writes `allowOrigins` and the others
 */
export function readCors(
  value: unknown,
  stageVariables: Variables | null,
  place: Place,
  spell: (name: string) => string = (name) => name,
): Cors | null {
  if (value === undefined) return null
  const object = members(value, place)
  if (object === null) return null
  const lists = ['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders']
  onlyMembers(object, [...lists, 'allowCredentials', 'maxAge'].map(spell), place)
  const member = (name: string): unknown => object[spell(name)]
  const at = (name: string): Place => place.in(spell(name))
  const list = (name: string): readonly string[] =>
    (member(name) === undefined ? [] : textList(member(name), at(name)))
      .map((item, index) => resolvedText(item, stageVariables, at(name).in(index)))
      .filter((item) => item !== null)
  const cors: Cors = {
    allowOrigins: list('allowOrigins'),
    allowCredentials: flag(member('allowCredentials'), at('allowCredentials')),
    allowMethods: list('allowMethods').map((method) => method.toUpperCase()),
    allowHeaders: list('allowHeaders').map((name) => name.toLowerCase()),
    exposeHeaders: list('exposeHeaders').map((name) => name.toLowerCase()),
    maxAge: member('maxAge') === undefined ? null : (wholeNumber(member('maxAge'), day, at('maxAge')) ?? null),
  }
  // They become header values.
  const odd = [...cors.allowMethods, ...cors.allowHeaders, ...cors.exposeHeaders].find((name) => !token.test(name))
  if (odd !== undefined) place.error(`"${odd}" is not a method or header name`)
  const fault = corsFault(cors)
  if (fault !== null) place.error(fault)
  return cors
}

const day = { min: 0, max: 86_400 }
