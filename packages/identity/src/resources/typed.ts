/**
 * Numbers and codes as people type and paste them: a Japanese keyboard has digits of full width, an Arabic one its own, and
 * an address book puts marks of direction around what it copies.
 */

/** @returns the text with the digits that everything here is written in, and without the marks */
export const inPlainDigits = (text: string): string =>
  text
    .replace(/[\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 15))
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')

/** A code of digits, without what stands between them. */
export const typedCode = (text: string): string => inPlainDigits(text).replace(/\s+/g, '')
