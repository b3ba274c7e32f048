import { token } from '../field-text.ts'
import { fieldKind } from '../integrations/response-head.ts'
import { isBodyless } from '../mapping/response.ts'
import type { PayloadFormat } from './event.ts'

/** What a function answered, ready to be sent. */
export interface FunctionAnswer {
  readonly status: number
  /** `name, value …`: lower-case names, without what concerns a connection or is the gateway's own. */
  readonly fields: readonly string[]
  /** The `access-control-*` headers, which only APIs without a CORS configuration pass on. */
  readonly corsFields: readonly string[]
  readonly body: Buffer
}

/** Why a result is no answer; for logs. */
export class MalformedAnswer extends Error {}

/**
 * Reads a function's result.
 *
 * @param result as JSON text
 * @throws MalformedAnswer
 */
export function readAnswer(format: PayloadFormat, result: string): FunctionAnswer {
  const value = parse(result)
  const isExplicit = isObject(value) && has(value, 'statusCode')
  if (isExplicit) return explicit(format, value)
  if (format === '1.0') throw new MalformedAnswer('in format 1.0 the result must be an object with a "statusCode"')
  // Format 2.0 infers: whatever is returned is the body.
  const body = Buffer.from(typeof value === 'string' ? value : result)
  return { status: 200, fields: ['content-type', 'application/json'], corsFields: [], body }
}

function explicit(format: PayloadFormat, value: Members): FunctionAnswer {
  const status = readStatus(value.statusCode)
  const fields: string[] = []
  const corsFields: string[] = []
  for (const [name, text] of format === '1.0' ? headers1(value) : headers2(value)) {
    const kind = fieldKind(name)
    // A function may pass on what an AWS service called its request.
    if (kind === 'keep' || kind === 'request-id' || kind === 'request-id-2') fields.push(name, text)
    else if (kind === 'cors') corsFields.push(name, text)
  }
  // Whatever followed such a head would be read as the next answer.
  const body = isBodyless(status) ? Buffer.alloc(0) : readBody(value)
  if (!isBodyless(status) && !fields.some((name, i) => i % 2 === 0 && name === 'content-type')) {
    fields.push('content-type', 'text/plain; charset=utf-8')
  }
  return { status, fields, corsFields, body }
}

type Members = Readonly<Record<string, unknown>>
type Field = readonly [name: string, value: string]

function readStatus(value: unknown): number {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  // 1xx is not an answer but an announcement of one.
  if (typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599) return status
  throw new MalformedAnswer(`"statusCode" must be a whole number from 200 to 599, not ${say(value)}`)
}

function headers2(value: Members): Field[] {
  const cookies = optional(value, 'cookies', isList) ?? []
  return [...singleHeaders(value), ...cookies.map((cookie) => field('set-cookie', cookie))]
}

// Both maps are merged; a pair that stands in both is sent once.
function headers1(value: Members): Field[] {
  const several = Object.entries(optional(value, 'multiValueHeaders', isObject) ?? {}).flatMap(([name, all]) => {
    if (all === null) return []
    if (!isList(all)) throw new MalformedAnswer(`"multiValueHeaders.${name}" must be a list, not ${say(all)}`)
    return all.map((one) => field(name, one))
  })
  const single = singleHeaders(value).filter(
    ([name, text]) => !several.some(([other, value]) => other === name && value === text),
  )
  return [...single, ...several]
}

const singleHeaders = (value: Members): Field[] =>
  Object.entries(optional(value, 'headers', isObject) ?? {})
    .filter(([, text]) => text !== null)
    .map(([name, text]) => field(name, text))

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const control = /[\x00-\x08\x0a-\x1f\x7f]/

// A line break in a value would end the header, and what follows would be the function's input speaking as the gateway.
function field(name: string, value: unknown): Field {
  const isText = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  if (!isText) throw new MalformedAnswer(`the header "${name}" must be a text, not ${say(value)}`)
  if (!token.test(name)) throw new MalformedAnswer(`"${name}" is not a name of a header`)
  const text = String(value).trim()
  if (control.test(text)) throw new MalformedAnswer(`the header "${name}" holds a control character`)
  // Header bytes have no encoding of their own; what is not ASCII goes out as UTF-8.
  return [name.toLowerCase(), Buffer.from(text, 'utf8').toString('latin1')]
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/

function readBody(value: Members): Buffer {
  const body = optional(value, 'body', isString) ?? ''
  if (optional(value, 'isBase64Encoded', isBoolean) !== true) return Buffer.from(body)
  if (!base64.test(body)) throw new MalformedAnswer('"isBase64Encoded" is true and "body" is not base64')
  return Buffer.from(body, 'base64')
}

function optional<T>(value: Members, name: string, is: (member: unknown) => member is T): T | null {
  const member = has(value, name) ? value[name] : null
  if (member === null) return null
  if (is(member)) return member
  throw new MalformedAnswer(`"${name}" has the wrong type: ${say(member)}`)
}

function parse(result: string): unknown {
  try {
    return JSON.parse(result)
  } catch (cause) {
    throw new MalformedAnswer('the result is not JSON', { cause })
  }
}

const has = (value: Members, name: string): boolean => Object.hasOwn(value, name)
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)
const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !isList(value)
const isString = (value: unknown): value is string => typeof value === 'string'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
const say = (value: unknown): string => JSON.stringify(value).slice(0, 100)
