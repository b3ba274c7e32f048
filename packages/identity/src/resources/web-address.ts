/**
 * Addresses that a person's browser will be sent to. They are matched character by character when they are used, so all
 * that is decided here is what may be registered: one absolute address without a fragment, without wildcards or
 * placeholders (an expansion is where look-alike hosts creep in), and of a scheme that cannot run as script.
 */
import Type from 'typebox'

/** Schemes that browsers run, open locally or interpret themselves. */
const NEVER = new Set([
  'javascript',
  'data',
  'vbscript',
  'file',
  'blob',
  'about',
  'filesystem',
  'view-source',
  'ws',
  'wss',
  'ftp',
  'intent',
])

/** Bounds only; what an address may be is said by `refuseAddress`, with words. */
export const Address = Type.String({ minLength: 1, maxLength: 2048 })

/** @returns what is wrong with a redirect address, or undefined. Private schemes (RFC 8252 §7.1) are for native clients. */
export function refuseAddress(text: string, { privateSchemes = false } = {}): string | undefined {
  // URL parsers drop tabs and line breaks and turn backslashes around: what was checked would not be what is used.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\uffff\\<>"`]/.test(text)) return 'holds a character that addresses cannot have'
  if (/[*{}]/.test(text)) return 'holds a wildcard or placeholder; register each address as it is'
  if (text.includes('#')) return 'holds a fragment'
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (!scheme) return 'is not absolute'
  if (NEVER.has(scheme)) return `has the scheme ${scheme}, which is never allowed`
  if (scheme !== 'http' && scheme !== 'https') {
    return privateSchemes ? undefined : 'must start with https:// or http://'
  }
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return 'is not an absolute address'
  const url = new URL(text)
  if (url.username || url.password || text.split('/')[2]!.includes('@')) return 'holds a user name or password'
  return undefined
}

/** @returns what is wrong with an origin, or undefined. */
export function refuseOrigin(text: string): string | undefined {
  const wrong = refuseAddress(text)
  if (wrong) return wrong
  return new URL(text).origin === text ? undefined : 'must be an origin: scheme, host and port, without a path'
}
