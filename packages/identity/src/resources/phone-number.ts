/**
 * Phone numbers as E.164 writes them: a plus sign, then at most fifteen digits. What people put between the digits to read
 * them is taken away; anything else makes it no number.
 */

/** @returns the number in its one form, or undefined */
export function phoneNumber(text: string): string | undefined {
  if (text.length > 40) return undefined
  const plain = text.trim().replace(/[\s().-]/g, '')
  return /^\+[1-9]\d{6,14}$/.test(plain) ? plain : undefined
}
