/**
 * Host names as URLs hold them (UTS #46). The tables are large; they are opened for names that are not plain ASCII, for
 * which the mapping is lower case.
 */
declare const require: (name: 'tr46/index.js') => typeof import('./host-names.ts')

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused later, as in every name
const PLAIN = /^[\x01-\x7f]*$/
const isPlain = (domain: string): boolean => PLAIN.test(domain) && !/(^|\.)xn--/i.test(domain)

export function toASCII(domain: string, options?: object): string | null {
  return isPlain(domain) ? domain.toLowerCase() : require('tr46/index.js').toASCII(domain, options)
}

export function toUnicode(domain: string, options?: object): { domain: string; error: boolean } {
  return isPlain(domain)
    ? { domain: domain.toLowerCase(), error: false }
    : require('tr46/index.js').toUnicode(domain, options)
}
