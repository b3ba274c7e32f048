/**
 * Names of things that all tenants keep in one place: objects, cache entries, queues, files. Two rules make them safe:
 *
 * - The tenant stands first and comes from the SaaS identity.
 * - Each part is encoded so that no part can contain a separator, be empty, or be read as two: different lists of parts
 *   never become the same name (`a:b` + `c` is not `a` + `b:c`), and no tenant’s names begin with another’s (`t1`
 *   against `t1-2`), because the separator ends the tenant’s part.
 */

/** What a caller named cannot be a name here. The message is public. */
export class NameRefused extends Error {
  readonly code = 'name_refused'
  readonly status = 400
  constructor(message: string) {
    super(message)
    this.name = 'NameRefused'
  }
}

/**
 * One part of a key: unreserved characters as they are, everything else as `%` and two digits per UTF-8 byte, `~` for
 * nothing. Injective, and free of `/`, `:`, `*`, `?`, `[`, `{`, spaces and control characters. `.` and `..` get a `~` before
 * them, because URLs resolve them, and resolve `%2E%2E` too (WHATWG URL, “double-dot path segment”).
 */
export function keyPart(text: string): string {
  if (text === '') return '~'
  if (text === '.' || text === '..') return `~${text}`
  return encoded(text, /[A-Za-z0-9._-]/)
}

/** The text of a part. @throws Error when `keyPart` makes no such part */
export function keyPartText(part: string): string {
  const text = part.startsWith('~') ? part.slice(1) : decoded(part)
  if (text === undefined || keyPart(text) !== part) throw new Error('This is no part of a name that was made here.')
  return text
}

/**
 * A name in a file system that may ignore case (macOS, Windows), normalize Unicode, drop dots at the end, or take `con`
 * for a device: capital letters become `^a`, and what any of them treats specially is encoded. Injective under all of
 * these. At most 255 bytes.
 * @throws NameRefused for a name that is too long
 */
export function fileName(text: string): string {
  if (text === '') throw new NameRefused('A name is empty.')
  const name = encoded(text, /[A-Za-z0-9._-]/)
    .replaceAll(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())
    .replaceAll(/[A-Z]/g, (letter) => `^${letter.toLowerCase()}`)
    // Hidden files, `.` and `..`; Windows drops dots at the end.
    .replaceAll(/^\.|\.$/g, '%2e')
    // Windows: with and without extension.
    .replace(/^(?:con|prn|aux|nul|com\d|lpt\d)(?=$|\.)/, (device) => `%${hex(device.charCodeAt(0))}${device.slice(1)}`)
  if (name.length > 255) throw new NameRefused('A name is too long.')
  return name
}

/** The text of a file’s name. `undefined` for a file that was not named here. */
export function fileNameText(name: string): string | undefined {
  const text = decoded(name.replaceAll(/\^([a-z])/g, (_, letter: string) => letter.toUpperCase()))
  if (text === undefined || text === '') return undefined
  try {
    return fileName(text) === name ? text : undefined
  } catch {
    return undefined
  }
}

function encoded(text: string, plain: RegExp): string {
  // Half of a pair has no bytes: all of them would become the same replacement character.
  if (!text.isWellFormed()) throw new NameRefused('A name is not well-formed Unicode.')
  let name = ''
  for (const character of text) {
    name += plain.test(character)
      ? character
      : [...Buffer.from(character)].map((byte) => `%${hex(byte).toUpperCase()}`).join('')
  }
  return name
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name)
  } catch {
    return undefined
  }
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0')
