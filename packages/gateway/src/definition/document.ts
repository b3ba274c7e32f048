import {
  type CollectionTag,
  isAlias,
  isMap,
  isNode,
  isPair,
  isSeq,
  LineCounter,
  parseDocument,
  type ScalarTag,
} from 'yaml'
import { type Place, pointerSteps, type Source } from './report.ts'

export type Members = Readonly<Record<string, unknown>>

/** A parsed text, what is wrong with its syntax, and where everything stands in it. */
export interface Document extends Source {
  readonly content: unknown
  readonly faults: readonly { readonly line: number; readonly message: string }[]
}

/**
 * Parses YAML or JSON (which is YAML).
 *
 * @param tags that the format knows; any other, such as `!Ref` outside of a template, would be read as plain text and
 *   is a fault
 */
export function parseSource(text: string, file: string, tags: readonly (ScalarTag | CollectionTag)[] = []): Document {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    merge: false,
    schema: 'core',
    stringKeys: true,
    customTags: [...tags],
  })
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    line: lines.linePos(pos[0]).line,
    message: message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
  }))
  const root = document.contents
  const read = (): { content: unknown; faults: Document['faults'] } => {
    try {
      return { content: document.toJS({ maxAliasCount: 100 }), faults }
    } catch (error) {
      return { content: null, faults: [{ line: 1, message: error instanceof Error ? error.message : String(error) }] }
    }
  }
  const locate: Source['locate'] = (at) => {
    let node: unknown = root
    let offset = isNode(root) ? (root.range?.[0] ?? 0) : 0
    for (const step of pointerSteps(at)) {
      if (isAlias(node)) node = node.resolve(document)
      const next = stepInto(node, step)
      if (next === null) break
      node = next.value
      offset = next.offset ?? offset
    }
    return { file, at, line: lines.linePos(offset).line }
  }
  return { file, locate, ...(faults.length === 0 ? read() : { content: null, faults }) }
}

function stepInto(node: unknown, step: string): { value: unknown; offset: number | undefined } | null {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isNode(key) && String((key as { value?: unknown }).value) === step)
    return pair === undefined ? null : { value: pair.value, offset: (pair.key as { range?: number[] }).range?.[0] }
  }
  if (!isSeq(node)) return null
  const item = node.items[Number(step)]
  if (item === undefined || isPair(item)) return null
  return { value: item, offset: isNode(item) ? item.range?.[0] : undefined }
}

/** The root object of a parsed text, or `null` after complaints. */
export function rootOf(document: Document, placeAt: (source: Source) => Place): Members | null {
  for (const { line, message } of document.faults) {
    placeAt({ file: document.file, locate: (at) => ({ file: document.file, at, line }) }).error(message)
  }
  return document.faults.length > 0 ? null : members(document.content, placeAt(document))
}

/** The members of an object, or `null` after a complaint. */
export function members(value: unknown, place: Place): Members | null {
  if (isMembers(value)) return value
  place.error('must be an object')
  return null
}

export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list of texts; a complaint and an empty list when it is anything else. */
export function textList(value: unknown, place: Place): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) return value
  place.error('must be a list of non-empty texts')
  return []
}

/** A text, `null` where there is none, and a complaint for anything else. */
export function optionalText(value: unknown, place: Place): string | null {
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  place.error('must be a text')
  return null
}

/** `fallback` where nothing is said. Templates and YAML hand over `"true"` as text too. */
export function flag(value: unknown, place: Place, fallback = false): boolean {
  if (value === undefined) return fallback
  if (value === true || value === 'true') return true
  if (value !== false && value !== 'false') place.error('must be true or false')
  return false
}

/** A whole number in a range, also as text; `undefined` after a complaint. */
export function wholeNumber(value: unknown, { min, max }: { min: number; max: number }, place: Place) {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number
  place.error(`must be a whole number from ${min} to ${max}`)
  return undefined
}

/** Texts by name; numbers and truth values are taken as their text, as AWS does. */
export function textMap(value: unknown, place: Place): Readonly<Record<string, string>> {
  if (value === undefined) return {}
  const object = members(value, place) ?? {}
  const entries = Object.entries(object).flatMap(([name, item]) => {
    if (['string', 'number', 'boolean'].includes(typeof item)) return [[name, String(item)]]
    place.in(name).error('must be a text')
    return []
  })
  return Object.fromEntries(entries)
}

/**
 * Complains about members that are not in the list. A misspelt `security` would otherwise leave a route open without a
 * word. Vendor extensions of others (`x-…`) are none of our business; Amazon's and our own are.
 */
export function onlyMembers(object: Members, allowed: readonly string[], place: Place): void {
  for (const name of Object.keys(object)) {
    if (allowed.includes(name) || (name.startsWith('x-') && !isForUs(name))) continue
    place.in(name).error(`"${name}" is not known here; known are ${allowed.join(', ')}`)
  }
}

/** Reports what AWS offers on other API types only, and returns the object without it. */
export function withoutIgnored(object: Members, ignored: readonly string[], place: Place): Members {
  const kept = Object.entries(object).filter(([name]) => {
    const isIgnored = ignored.includes(name)
    if (isIgnored) place.in(name).info('has no effect on an HTTP API')
    return !isIgnored
  })
  return Object.fromEntries(kept)
}

const isForUs = (name: string): boolean => /^x-(amazon|tenantry)/i.test(name)
