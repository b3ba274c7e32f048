/**
 * The one reader of domain names that somebody claims. Only the spelling in which DNS compares them is taken (lower case,
 * no dot at the end, internationalised labels as they travel), so that one domain cannot be claimed as two.
 */
import { isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Whether the text is one domain of at least two labels, in its only accepted spelling. */
export function isDomainName(text: string): boolean {
  if (text.length > 253 || isIP(text) !== 0) return false
  const labels = text.split('.')
  if (labels.length < 2 || /^\d+$/.test(labels.at(-1)!)) return false
  return labels.every((label) => LABEL.test(label) && (!label.startsWith('xn--') || decodes(label)))
}

/** An encoded label must decode to letters and digits, and from there to itself again. */
function decodes(label: string): boolean {
  const plain = domainToUnicode(label)
  return plain !== label && /^[\p{L}\p{M}\p{N}-]+$/u.test(plain) && domainToASCII(plain) === label
}

/** Asks DNS for the TXT records of a name: `resolveTxt` of node:dns/promises, or what a test puts in its place. */
export type ResolveTxt = (name: string) => Promise<string[][]>

/**
 * Whether the owner of a domain has published a text. A name that does not exist, a server that does not answer and one
 * that takes too long all mean: not proven.
 */
export async function publishes(resolveTxt: ResolveTxt, name: string, text: string): Promise<boolean> {
  const records = await resolveTxt(name).catch(() => [])
  // Long records travel in pieces (RFC 7208 §3.3 says how they are joined).
  return records.some((pieces) => pieces.join('') === text)
}
