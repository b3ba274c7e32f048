/**
 * CloudFormation's intrinsic functions. A value that this import cannot know, such as the id of a user pool, becomes the
 * text `${UserPool}`: where it is only passed on nobody minds, and whoever needs it complains as of any variable.
 */
import { isMembers, type Members } from '../document.ts'
import type { Place } from '../report.ts'
import type { Variables } from '../variables.ts'

export interface Scope {
  /** Of a parameter, a pseudo parameter or a resource; `undefined` for a name that the template does not define. */
  readonly refer: (name: string, place: Place) => unknown
  readonly attribute: (resource: string, attribute: string, place: Place) => unknown
  readonly condition: (name: string, place: Place) => boolean
  readonly mappings: Members
  /** Values of `Fn::ImportValue`. */
  readonly imports: Variables
}

/** What `AWS::NoValue` is: the member or item that holds it is not there. */
export const noValue = Symbol('AWS::NoValue')

/** @returns the value with every function in it computed; `undefined` for none */
export function evaluate(value: unknown, scope: Scope, place: Place): unknown {
  const result = compute(value, scope, place)
  return result === noValue ? undefined : result
}

function compute(value: unknown, scope: Scope, place: Place): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => compute(item, scope, place.in(index))).filter((item) => item !== noValue)
  }
  if (!isMembers(value)) return value
  const [name, ...others] = Object.keys(value)
  if (name !== undefined && others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))) {
    return call(name, value[name], scope, place.in(name))
  }
  const entries = Object.entries(value).map(([key, item]) => [key, compute(item, scope, place.in(key))] as const)
  return Object.fromEntries(entries.filter(([, item]) => item !== noValue))
}

type Function = (argument: unknown, scope: Scope, place: Place) => unknown

function call(name: string, argument: unknown, scope: Scope, place: Place): unknown {
  const run = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (run !== undefined) return run(argument, scope, place)
  place.error(`${name} is not supported: write what it gives into the template, or pass the result as a parameter`)
  return ''
}

const functions: Readonly<Record<string, Function>> = {
  Ref: (argument, scope, place) => {
    const value = typeof argument === 'string' ? scope.refer(argument, place) : undefined
    return value === undefined ? complain(place, `refers to ${JSON.stringify(argument)}, which nothing defines`) : value
  },
  'Fn::GetAtt': (argument, scope, place) => {
    const [resource, ...attribute] =
      typeof argument === 'string' ? argument.split('.') : asTexts(argument, scope, place)
    if (resource === undefined || attribute.length === 0) return complain(place, 'names a resource and an attribute')
    return scope.attribute(resource, attribute.join('.'), place) ?? complain(place, `nothing defines "${resource}"`)
  },
  'Fn::Sub': substitute,
  'Fn::Join': (argument, scope, place) => {
    const [separator, list] = asList(argument, scope, place)
    if (typeof separator !== 'string' || !Array.isArray(list)) return complain(place, 'is [separator, [texts]]')
    return list.map((item) => textOf(item, place)).join(separator)
  },
  'Fn::Split': (argument, scope, place) => {
    const [separator, text] = asList(argument, scope, place)
    if (typeof separator !== 'string' || separator === '') return complain(place, 'is [separator, text]')
    return textOf(text, place).split(separator)
  },
  'Fn::Select': (argument, scope, place) => {
    const [index, list] = asList(argument, scope, place)
    const item = Array.isArray(list) ? list[Number(index)] : undefined
    return item ?? complain(place, `has no item ${JSON.stringify(index)} to select`)
  },
  'Fn::If': (argument, scope, place) => {
    if (!Array.isArray(argument) || argument.length !== 3 || typeof argument[0] !== 'string') {
      return complain(place, 'is [condition, value if true, value if false]')
    }
    const index = scope.condition(argument[0], place.in(0)) ? 1 : 2
    return compute(argument[index], scope, place.in(index))
  },
  'Fn::FindInMap': (argument, scope, place) => {
    const [map, first, second, options] = asList(argument, scope, place)
    const found = member(member(member(scope.mappings, map), first), second)
    if (found !== undefined) return compute(found, scope, place)
    const fallback = member(options, 'DefaultValue')
    return fallback ?? complain(place, `finds nothing under ${[map, first, second].map(String).join(', ')}`)
  },
  'Fn::ImportValue': (argument, scope, place) => {
    const name = textOf(compute(argument, scope, place), place)
    if (Object.hasOwn(scope.imports, name)) return scope.imports[name]
    return complain(place, `"${name}" is exported by another stack: pass its value to the import`)
  },
  'Fn::Base64': (argument, scope, place) =>
    Buffer.from(textOf(compute(argument, scope, place), place)).toString('base64'),
}

/** `${Name}`, `${Resource.Attribute}`, `${Own}` of the second argument, and `${!Literal}`. */
function substitute(argument: unknown, scope: Scope, place: Place): unknown {
  const [template, own] = Array.isArray(argument) ? argument : [argument, {}]
  if (typeof template !== 'string' || !isMembers(own)) return complain(place, 'is a text, or [text, { names: values }]')
  const values = compute(own, scope, place.in(1)) as Members
  return template.replace(/\$\{([^{}]*)\}/g, (_whole, written: string) => {
    if (written.startsWith('!')) return `\${${written.slice(1)}}`
    const name = written.trim()
    if (Object.hasOwn(values, name)) return textOf(values[name], place)
    const [resource, ...attribute] = name.split('.')
    const value =
      attribute.length === 0 ? scope.refer(name, place) : scope.attribute(resource!, attribute.join('.'), place)
    if (value === undefined) return complain(place, `holds \${${name}}, which nothing defines; \${!${name}} is literal`)
    return textOf(value, place)
  })
}

/** What a condition's expression says; only conditions hold these functions. */
export function evaluateCondition(value: unknown, scope: Scope, place: Place): boolean {
  const [name, ...others] = isMembers(value) ? Object.keys(value) : []
  const argument = isMembers(value) && name !== undefined ? value[name] : undefined
  const all = Array.isArray(argument) ? (argument as readonly unknown[]) : []
  const each = (): boolean[] => all.map((item, index) => evaluateCondition(item, scope, place.in(name!).in(index)))
  if (others.length === 0) {
    if (name === 'Condition' && typeof argument === 'string') return scope.condition(argument, place)
    if (name === 'Fn::And' && all.length > 0) return each().every((item) => item)
    if (name === 'Fn::Or' && all.length > 0) return each().some((item) => item)
    if (name === 'Fn::Not' && all.length === 1) return !each()[0]
    if (name === 'Fn::Equals' && all.length === 2) {
      const [left, right] = all.map((item) => JSON.stringify(comparable(evaluate(item, scope, place))))
      return left === right
    }
  }
  place.error('is no condition: those are Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition')
  return false
}

const comparable = (value: unknown): unknown =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : value

const member = (value: unknown, name: unknown): unknown =>
  isMembers(value) && Object.hasOwn(value, String(name)) ? value[String(name)] : undefined

const asList = (argument: unknown, scope: Scope, place: Place): readonly unknown[] => {
  const value = compute(argument, scope, place)
  return Array.isArray(value) ? value : []
}

const asTexts = (argument: unknown, scope: Scope, place: Place): readonly string[] =>
  asList(argument, scope, place).map((item) => textOf(item, place))

function textOf(value: unknown, place: Place): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  return complain(place, `${JSON.stringify(value)} is no text`)
}

function complain(place: Place, message: string): string {
  place.error(message)
  return ''
}
