/**
 * Phone numbers as E.164 writes them: a plus sign, then at most fifteen digits. What people put between the digits to read
 * them is taken away; anything else makes it no number.
 */
import { inPlainDigits } from './typed.ts'

/** @returns the number in its one form, or undefined */
export function phoneNumber(text: string): string | undefined {
  if (text.length > 40) return undefined
  // `(0)` is dialled inside of a country alone, and makes another number of this one.
  const plain = inPlainDigits(text)
    .replace('\uff0b', '+')
    .replace(/\(0\)|[\s()./\-\u2010-\u2015]/g, '')
  return /^\+[1-9]\d{6,14}$/.test(plain) ? plain : undefined
}
