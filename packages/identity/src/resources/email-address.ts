/**
 * The one reader of e-mail addresses: what it refuses is neither stored, compared nor delivered to. Every part that reads
 * an address a second time in its own way is a way around the first (two addresses in one text, quoted local parts with
 * an @ inside, comments, encoded words, line breaks that become headers, labels that decode to something else).
 */
import { domainToASCII, domainToUnicode } from 'node:url'

/** RFC 5321 §4.1.2 dot-atom in ASCII: no quotes, no comments, no display name, no folding. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i

/** Whether the text is exactly one address, without anything around it. */
export function isEmailAddress(text: string): boolean {
  if (text.length > 254) return false
  const [local, domain, ...more] = text.split('@')
  if (local === undefined || domain === undefined || more.length > 0) return false
  if (local.length > 64 || !LOCAL_PART.test(local) || local.includes('=?')) return false
  const labels = domain.split('.')
  if (labels.length < 2 || !labels.every((label) => label.length <= 63 && LABEL.test(label))) return false
  if (/^\d+$/.test(labels.at(-1)!)) return false
  return labels.every((label) => !/^xn--/i.test(label) || isInternationalised(label.toLowerCase()))
}

/** A label as it travels (xn--…) is kept, if it decodes to letters and digits and from there to itself again. */
function isInternationalised(label: string): boolean {
  const plain = domainToUnicode(label)
  return plain !== label && /^[\p{L}\p{M}\p{N}-]+$/u.test(plain) && domainToASCII(plain) === label
}

/** What addresses are compared by; the stored address stays as it was typed. */
export const comparableEmail = (address: string): string => address.toLowerCase()
