/**
 * Addresses that a person's browser will be sent to. They are matched character by character when they are used, so all
 * that is decided here is what may be registered: one absolute address without a fragment, without wildcards (an expansion
 * is where look-alike hosts creep in), and of a scheme that cannot run as script. Where a client lists addresses of its own,
 * the first label of the host may be `{organization_name}`, which stands for one name at a time.
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

/** Auth0's placeholder, for products that give each organization a host of its own. */
export const ORGANIZATION_NAME = '{organization_name}'

const FIRST_LABEL = /^(https?:\/\/)\{organization_name\}\./

export interface AddressRules {
  /** Private schemes (RFC 8252 §7.1) are for native clients. */
  privateSchemes?: boolean
  organizationNames?: boolean
}

/** @returns what is wrong with a redirect address, or undefined */
export function refuseAddress(text: string, rules: AddressRules = {}): string | undefined {
  const { privateSchemes = false, organizationNames = false } = rules
  if (organizationNames && text.includes(ORGANIZATION_NAME)) return refuseWithName(text, refuseAddress)
  // URL parsers drop tabs and line breaks and turn backslashes around: what was checked would not be what is used.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\uffff\\<>"`]/.test(text)) return 'holds a character that addresses cannot have'
  if (/[*{}]/.test(text)) return 'holds a wildcard or placeholder; register each address as it is'
  if (text.includes('#')) return 'holds a fragment'
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (!scheme) return 'is not absolute'
  if (NEVER.has(scheme)) return `has the scheme ${scheme}, which is never allowed`
  if (scheme !== 'http' && scheme !== 'https') {
    if (!privateSchemes) return 'must start with https:// or http://'
    // An answer could not be put together for it.
    return URL.canParse(text) ? undefined : 'is not an absolute address'
  }
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return 'is not an absolute address'
  const url = new URL(text)
  if (url.username || url.password || text.split('/')[2]!.includes('@')) return 'holds a user name or password'
  return undefined
}

/** The name takes one label, so what follows it must be a whole domain: nobody owns all of https://….com. */
function refuseWithName(text: string, refuse: (named: string) => string | undefined): string | undefined {
  if (!FIRST_LABEL.test(text)) {
    return `must have ${ORGANIZATION_NAME} as the first label of its host, as in https://${ORGANIZATION_NAME}.example.com`
  }
  const named = text.replace(FIRST_LABEL, '$1name.')
  const wrong = refuse(named)
  if (wrong) return wrong
  // A dot at the end says where the root is, and is no part of the domain.
  const [, ...domain] = new URL(named).hostname.split('.').filter(Boolean)
  return domain.length > 1 || domain[0] === 'localhost' ? undefined : `needs a whole domain after ${ORGANIZATION_NAME}`
}

/** @returns what is wrong with an origin, or undefined. */
export function refuseOrigin(text: string, { organizationNames = false }: AddressRules = {}): string | undefined {
  if (organizationNames && text.includes(ORGANIZATION_NAME)) return refuseWithName(text, refuseOrigin)
  const wrong = refuseAddress(text)
  if (wrong) return wrong
  return new URL(text).origin === text ? undefined : 'must be an origin: scheme, host and port, without a path'
}
