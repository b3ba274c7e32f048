import { parseDocument } from 'yaml'
import type { Place } from './report.ts'

export type Members = Readonly<Record<string, unknown>>

/** Reads YAML or JSON (which is YAML) into plain data, or complains and returns `null`. */
export function readDocument(text: string, place: Place): Members | null {
  const document = parseDocument(text, { uniqueKeys: true, merge: false, schema: 'core', stringKeys: true })
  // A warning here is a tag such as `!Ref` that only a deployment tool resolves: its value would be read as text.
  for (const { message } of [...document.errors, ...document.warnings]) place.error(message.split('\n')[0]!)
  if (document.errors.length + document.warnings.length > 0) return null
  const content: unknown = document.toJS({ maxAliasCount: 100 })
  return members(content, place)
}

/** The members of an object, or `null` after a complaint. */
export function members(value: unknown, place: Place): Members | null {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
  place.error('must be an object')
  return null
}

/** A list of texts; a complaint and an empty list when it is anything else. */
export function textList(value: unknown, place: Place): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) return value
  place.error('must be a list of non-empty texts')
  return []
}

/**
 * Complains about members that are not in the list. A misspelt `security` would otherwise leave a route open without a
 * word. Vendor extensions of others (`x-…`) are none of our business; Amazon's are.
 */
export function onlyMembers(object: Members, allowed: readonly string[], place: Place): void {
  for (const name of Object.keys(object)) {
    if (allowed.includes(name) || (name.startsWith('x-') && !isAmazon(name))) continue
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

const isAmazon = (name: string): boolean => name.toLowerCase().startsWith('x-amazon')
