/**
 * What may stand in the value of a field (RFC 9110 §5.5). A bare CR or LF and NUL are not among it: each ends a line for
 * some reader. Asked of flat texts, and so of name and value by themselves: putting them together first costs more. Nearly all
 * values are of the first kind, and one range to compare with spares a fifth of what a token takes.
 */
export const fieldValue = /^[\x20-\x7e]+$|^[\t\x20-\x7e\x80-\xff]*$/

/** What a field may be called (RFC 9110 §5.6.2). */
export const token = /^[\w!#$%&'*+\-.^`|~]+$/

/**
 * A copy of a header's text, to be remembered. What was cut out of a head keeps all of it in memory: a thousand names
 * would hold a thousand heads.
 */
export const ownText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** A part of a head without the blanks around it: spaces and tabs, and none of the others that `trim` takes (RFC 9110 §5.6.3). */
export function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09
