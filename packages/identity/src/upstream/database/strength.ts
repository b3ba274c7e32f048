/** A policy as Auth0 tells it beside a password that is too weak: rule by rule, and as one text. */
import { type CharacterKind, demandsOf, holdsIdentical, holdsKind, type PasswordOptions } from './policy.ts'

interface StrengthRule {
  message: string
  code: string
  format?: (number | string)[]
  items?: StrengthRule[]
  verified: boolean
}

const KINDS: Record<CharacterKind, { message: string; code: string }> = {
  lowercase: { message: 'lower case letters (a-z)', code: 'lowerCase' },
  uppercase: { message: 'upper case letters (A-Z)', code: 'upperCase' },
  number: { message: 'numbers (i.e. 0-9)', code: 'numbers' },
  special: { message: 'special characters (e.g. !@#$%^&*)', code: 'specialCharacters' },
}

export function strengthOf(options: PasswordOptions, plain: string): { rules: StrengthRule[]; verified: boolean } {
  const { length, kinds, identical } = demandsOf(options)
  const rules: StrengthRule[] = [
    length <= 1
      ? { message: 'Non-empty password required', code: 'nonEmpty', verified: plain !== '' }
      : {
          message: 'At least %d characters in length',
          format: [length],
          code: 'lengthAtLeast',
          verified: [...plain].length >= length,
        },
  ]
  if (kinds.of.length > 0) {
    const items = kinds.of.map((kind) => ({ ...KINDS[kind], verified: holdsKind(kind, plain) }))
    const verified = items.filter((item) => item.verified).length >= kinds.least
    rules.push(
      kinds.least < kinds.of.length
        ? {
            message: 'Contain at least %d of the following %d types of characters:',
            code: 'containsAtLeast',
            format: [kinds.least, kinds.of.length],
            items,
            verified,
          }
        : { message: 'Should contain:', code: 'shouldContain', items, verified },
    )
  }
  if (!identical) {
    rules.push({
      message: 'No more than %d identical characters in a row (e.g., "%s" not allowed)',
      code: 'identicalChars',
      format: [2, 'aaa'],
      verified: !holdsIdentical(plain),
    })
  }
  return { rules, verified: rules.every(({ verified }) => verified) }
}

export function policyText(options: PasswordOptions): string {
  return strengthOf(options, '')
    .rules.flatMap(({ message, format = [], items = [] }) => {
      let at = 0
      const told = message.replace(/%[ds]/g, () => String(format[at++]))
      return [`* ${told}`, ...items.map((item) => ` * ${item.message}`)]
    })
    .join('\n')
}
