/**
 * The part of JSONPath that AWS lets mappings use: members and indexes. No recursive descent, no filters, no wildcards:
 * each path leads to one place at most.
 */
import { parseStrictObject } from '@tenantry/kernel/strict-json.ts'

/** Member names and indexes, from the root. */
export type JsonPath = readonly (string | number)[]

const step = /\.?([^\s.[\]'"*?@()$,:]+)|\[(\d{1,6})\]|\['([^'\\]+)'\]|\["([^"\\]+)"\]/y

/** @returns the path, or the reason why it is none */
export function parseJsonPath(text: string): JsonPath | string {
  if (text.includes('..') || text.startsWith('.')) return 'recursive descent ("..") is not supported'
  if (text.includes('?(')) return 'filters are not supported'
  const path: (string | number)[] = []
  step.lastIndex = 0
  while (step.lastIndex < text.length) {
    const match = step.exec(text)
    if (match === null) break
    const [, member, index, single, double] = match
    path.push(index === undefined ? (member ?? single ?? double)! : Number(index))
  }
  return path.length === 0 || step.lastIndex === 0 ? 'not a path of names and indexes into the body' : path
}

export type JsonObject = Readonly<Record<string, unknown>>

/** `null`: not one JSON object, or one that two parsers may read differently. */
export const readJson = (body: Buffer): JsonObject | null => parseStrictObject(body)

/**
 * The text of what a path leads to; `undefined`: nothing is there, or null.
 * @throws RangeError for a number that cannot be written again as it was sent
 */
export function selectText(root: JsonObject, path: JsonPath): string | undefined {
  let value: unknown = root
  for (const name of path) {
    const isThere =
      typeof name === 'number'
        ? Array.isArray(value)
        : typeof value === 'object' && value !== null && !Array.isArray(value)
    // Own members only: `constructor` is not what a client sent.
    if (!isThere || !Object.hasOwn(value as object, name)) return undefined
    value = (value as Record<string | number, unknown>)[name]
  }
  if (value === null) return undefined
  if (
    typeof value === 'number' &&
    !(Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value)))
  ) {
    // 2^53 and 2^53 + 1 would become one identifier.
    throw new RangeError('the number is too large to be passed on exactly')
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
