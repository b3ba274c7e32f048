/** Node's `querystring`: older code than `URLSearchParams`, and simpler. */
type Values = Record<string, unknown>

const one = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : (typeof value === 'number' && Number.isFinite(value)) || typeof value === 'bigint' || typeof value === 'boolean'
      ? String(value)
      : ''

const escaped = (value: unknown): string => encodeURIComponent(one(value) || String(value ?? ''))

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // What is no escape stays as it is.
    return text
  }
}

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())

function stringify(values: Values | null | undefined, separator = '&', equals = '='): string {
  const pairs: string[] = []
  for (const [name, value] of Object.entries(values ?? {}))
    for (const each of Array.isArray(value) ? value : [value]) pairs.push(encoded(name) + equals + encoded(one(each)))
  return pairs.join(separator)
}

function parse(text: string, separator = '&', equals = '='): Values {
  const found: Values = Object.create(null)
  if (typeof text !== 'string' || text === '') return found
  // As many as Node reads.
  for (const pair of text.split(separator, 1000)) {
    if (pair === '') continue
    const at = pair.indexOf(equals)
    const read = (part: string) => unescaped(part.replaceAll('+', ' '))
    const name = read(at < 0 ? pair : pair.slice(0, at))
    const value = at < 0 ? '' : read(pair.slice(at + equals.length))
    const known = found[name]
    found[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value]
  }
  return found
}

export const modules = {
  querystring: { parse, stringify, escape: escaped, unescape: unescaped, decode: parse, encode: stringify },
}
