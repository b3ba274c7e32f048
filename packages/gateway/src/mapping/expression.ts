/**
 * The values of AWS's parameter mapping: `$request.header.x`, static text, and both mixed. A value is read once, when
 * the API is compiled; what is not understood there is refused, because a rule that quietly does nothing leaves the
 * client's own header in the place of the verified one.
 */
import { compileContext, type ReadContext } from '../context.ts'
import { type JsonPath, parseJsonPath } from './json-path.ts'
import { headerFault } from './reserved-headers.ts'

/** Texts and variables in order; a plain variable is a list of one. */
export type Expression = readonly Part[]

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  /** Of the request in request mappings, of the upstream's answer in response mappings. In lower case. */
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'querystring'; readonly name: string }
  /** `null`: the whole body. */
  | { readonly kind: 'body'; readonly path: JsonPath | null }
  | { readonly kind: 'path' }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'context'; readonly name: string; readonly read: ReadContext }
  | { readonly kind: 'stageVariable'; readonly name: string }

/** What a mapping may read besides the context, stage variables and text. */
export type Origin = 'request' | 'response'

// Names of claims and paths into a body may hold anything: alone in a value they reach to its end.
const alone = /^\$((?:request|response)\.body\b[^$]*|context\.authorizer\.claims\.[^$\s]*)$/
// In braces anything up to the closing one, else as far as a name can reach: definitions in the wild write
// `/v2/$request.path.proxy` as often as `/v2/${request.path.proxy}`.
const variable = /\$\{([^{}]*)\}|\$([A-Za-z]+\.[\w.-]*\w)/g

/** @returns the expression, or the reason why it is none */
export function parseExpression(value: string, origin: Origin): Expression | string {
  const whole = alone.exec(value)?.[1]
  if (whole !== undefined) {
    const part = parseVariable(whole, origin)
    return typeof part === 'string' ? `"${value}": ${part}` : [part]
  }
  const parts: Part[] = []
  let end = 0
  for (const match of value.matchAll(variable)) {
    if (match.index > end) parts.push({ kind: 'text', text: value.slice(end, match.index) })
    const part = parseVariable((match[1] ?? match[2])!.replace(/^\$/, ''), origin)
    if (typeof part === 'string') return `"${match[0]}": ${part}`
    parts.push(part)
    end = match.index + match[0].length
  }
  if (end < value.length) parts.push({ kind: 'text', text: value.slice(end) })
  const stray = parts.find((part) => part.kind === 'text' && /\$(?:\{|[A-Za-z])/.test(part.text))
  return stray === undefined ? parts : `"${value}" holds a "$" that begins no variable`
}

function parseVariable(text: string, origin: Origin): Part | string {
  const [root = '', ...rest] = text.split('.')
  const name = rest.join('.')
  if (root === 'context') {
    const read = compileContext(name)
    return read === null ? 'not a variable of HTTP APIs' : { kind: 'context', name, read }
  }
  if (root === 'stageVariables') {
    return /^\w{1,64}$/.test(name) ? { kind: 'stageVariable', name } : 'no name of a stage variable'
  }
  if (root !== origin)
    return root === 'request' || root === 'response' ? `not known here, where only the ${origin} can be read` : unknown
  const below = rest.slice(1).join('.')
  if (rest[0] === 'header') return parseHeader(below)
  if (name === 'body') return { kind: 'body', path: null }
  if (/^body[.[]/.test(name)) {
    const path = parseJsonPath(name.slice(name[4] === '.' ? 5 : 4))
    return typeof path === 'string' ? path : { kind: 'body', path }
  }
  if (origin === 'response') return unknown
  if (rest[0] === 'querystring') return below === '' ? 'names no parameter' : { kind: 'querystring', name: below }
  if (rest[0] === 'path') return rest.length === 1 ? { kind: 'path' } : { kind: 'parameter', name: below }
  return unknown
}

const unknown = 'not a variable of parameter mappings'

function parseHeader(text: string): Part | string {
  const name = text.toLowerCase()
  return headerFault(name) ?? { kind: 'header', name }
}
