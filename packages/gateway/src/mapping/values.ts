import type { Exchange } from '../exchange.ts'
import { compileParameter } from '../integrations/uri.ts'
import type { CanonicalPath } from '../routing/path.ts'
import type { Segment } from '../routing/route-key.ts'
import type { Expression, Part } from './expression.ts'
import { type JsonObject, selectText } from './json-path.ts'

/** What the variables of one request or answer are read from. */
export interface Source {
  readonly exchange: Exchange
  /** `name, value …` in lower case, latin1. */
  readonly fields: readonly string[]
  /** Of the request; answers have none to map. */
  readonly path: CanonicalPath | null
  /** The body, as far as the rules need it; `null`: there is none. */
  readonly text: string | null
  readonly json: JsonObject | null
}

/** The text of a value; `undefined`: it is absent. */
export type ReadValue = (source: Source) => string | undefined

export interface Surroundings {
  /** Of the route's key; `null` for `$default`. */
  readonly segments: readonly Segment[] | null
  readonly stageVariables: Readonly<Record<string, string>>
}

/**
 * A mix of text and variables is absent when all its variables are; a missing one among others is empty.
 * @throws Error naming a path parameter that the route does not define
 */
export function compileValue(expression: Expression, surroundings: Surroundings): ReadValue {
  const readers = expression.map((part) => compilePart(part, surroundings))
  if (readers.length === 1) return readers[0]!
  const isVariable = expression.map(({ kind }) => kind !== 'text')
  const holdsVariable = isVariable.includes(true)
  return (source) => {
    let whole = ''
    let isAbsent = holdsVariable
    for (const [i, read] of readers.entries()) {
      const value = read(source)
      if (value === undefined) continue
      whole += value
      if (isVariable[i]) isAbsent = false
    }
    return isAbsent ? undefined : whole
  }
}

export function compilePart(part: Part, { segments, stageVariables }: Surroundings): ReadValue {
  switch (part.kind) {
    case 'text':
      return () => part.text
    case 'header':
      return ({ fields }) => headerText(fields, part.name)
    case 'querystring':
      return ({ path }) => {
        const values = new URLSearchParams(path?.query ?? '').getAll(part.name)
        return values.length === 0 ? undefined : values.join(',')
      }
    case 'body': {
      const { path } = part
      if (path === null) return ({ text }) => text ?? undefined
      return ({ json }) => (json === null ? undefined : selectText(json, path))
    }
    case 'path':
      return ({ path }) => path?.path
    case 'parameter': {
      const read = parameterOf(part.name, segments, (segment) => segment)
      return ({ path }) => (path === null ? undefined : read(path))
    }
    case 'context':
      return ({ exchange }) => part.read(exchange)
    case 'stageVariable': {
      const value = Object.hasOwn(stageVariables, part.name) ? stageVariables[part.name] : undefined
      return () => value
    }
  }
}

/** @throws Error when the route has no such variable */
export function parameterOf(
  name: string,
  segments: Surroundings['segments'],
  encode: (segment: string) => string,
): (path: CanonicalPath) => string {
  const read = compileParameter(name, segments, encode)
  if (read === null) throw new Error(`a parameter mapping uses {${name}}, which the route's path does not define`)
  return read
}

/** Runs a reading; `undefined` when a body holds something there that cannot be passed on as it is. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const notAscii = /[\x80-\uffff]/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function headerText(fields: readonly string[], name: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) value = value === undefined ? fields[i + 1]! : `${value},${fields[i + 1]}`
  }
  if (value === undefined || !notAscii.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

/** Tab is the one control character that RFC 9110 §5.5 lets stand in a value. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
export const control = /[\x00-\x08\x0a-\x1f\x7f]/

// Nearly all values, at half the price of asking twice.
const plain = /^[\t\x20-\x7e]*$/

/**
 * A text as the bytes of a header value, in latin1. Written as UTF-8 first: latin1 keeps the low byte of what it does
 * not know, and `č` U+010D would end the line.
 *
 * @returns `null` when it cannot stand in a header
 */
export function headerBytes(text: string): string | null {
  if (plain.test(text)) return text
  if (control.test(text)) return null
  return notAscii.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}
