/** What a database connection demands of passwords: Auth0's five levels, and the limits that hold on every level. */

export type PasswordPolicy = 'none' | 'low' | 'fair' | 'good' | 'excellent'

/** The part of a connection's options that decides about passwords. */
export interface PasswordOptions {
  passwordPolicy?: PasswordPolicy | undefined
  password_complexity_options?: { min_length?: number | undefined } | undefined
  password_no_personal_info?: { enable?: boolean | undefined } | undefined
}

/** Whose password it is; used only when personal information is refused. */
export interface Person {
  email?: string | null | undefined
  name?: string | null | undefined
  nickname?: string | null | undefined
  given_name?: string | null | undefined
  family_name?: string | null | undefined
}

export interface Violation {
  code: 'too_short' | 'too_long' | 'too_simple' | 'repeated_characters' | 'personal_information' | 'forbidden_character'
  /** A sentence for the person who chose the password. */
  text: string
}

/** Argon2 takes any length; a limit keeps a request from buying more work than one hash. */
const MAXIMUM_CHARACTERS = 256
const MAXIMUM_BYTES = 1024

/** No password of anybody's: none so long is ever set. */
export const isTooLong = (plain: string): boolean =>
  [...plain].length > MAXIMUM_CHARACTERS || Buffer.byteLength(plain) > MAXIMUM_BYTES

export const defaultPolicy: PasswordPolicy = 'good'

const LEVELS: Record<
  PasswordPolicy,
  { length: number; kinds: 'any' | 'three' | 'letters and digit'; repeats: boolean }
> = {
  none: { length: 1, kinds: 'any', repeats: true },
  low: { length: 6, kinds: 'any', repeats: true },
  fair: { length: 8, kinds: 'letters and digit', repeats: true },
  good: { length: 8, kinds: 'three', repeats: true },
  excellent: { length: 10, kinds: 'three', repeats: false },
}

const minimumLength = (options: PasswordOptions): number =>
  options.password_complexity_options?.min_length ?? LEVELS[options.passwordPolicy ?? defaultPolicy].length

export interface PasswordRule {
  text: string
  /** The number of characters, where that is the rule: a page can tick it off. */
  length?: number
}

/** What is asked of a new password, for the page that asks: in the order of the checks, so none comes as a surprise. */
export function passwordRules(options: PasswordOptions): PasswordRule[] {
  const { kinds, repeats } = LEVELS[options.passwordPolicy ?? defaultPolicy]
  const length = minimumLength(options)
  const words = length >= 12 && kinds === 'any' ? '; three random words work well' : ''
  return [
    ...(length > 1 ? [{ text: `At least ${length} characters${words}`, length }] : []),
    ...(kinds === 'three' ? [{ text: 'Three of: lower-case letters, upper-case letters, digits, symbols' }] : []),
    ...(kinds === 'letters and digit' ? [{ text: 'Lower-case letters, upper-case letters and digits' }] : []),
    ...(repeats ? [] : [{ text: 'No more than two identical characters in a row' }]),
    ...(options.password_no_personal_info?.enable ? [{ text: 'Without your name and email address' }] : []),
  ]
}

/** @returns the first rule that the password breaks, or undefined when it may be used. */
export function checkPassword(options: PasswordOptions, plain: string, person: Person = {}): Violation | undefined {
  const level = LEVELS[options.passwordPolicy ?? defaultPolicy]
  const minimum = minimumLength(options)
  if (plain.includes('\0')) {
    return { code: 'forbidden_character', text: 'Use letters, digits and symbols; a NUL character is not allowed.' }
  }
  if (isTooLong(plain)) {
    return { code: 'too_long', text: `Use at most ${MAXIMUM_CHARACTERS} characters.` }
  }
  if ([...plain].length < minimum) {
    return {
      code: 'too_short',
      text:
        minimum === 1
          ? 'Enter a password.'
          : `Use at least ${minimum} characters.${minimum < 12 ? '' : ' Three random words work well.'}`,
    }
  }
  const simple = tooSimple(level.kinds, plain)
  if (simple) return simple
  if (!level.repeats && /(.)\1\1/su.test(plain)) {
    return { code: 'repeated_characters', text: 'Use no more than two identical characters in a row.' }
  }
  if (options.password_no_personal_info?.enable && holdsPersonalInformation(plain, person)) {
    return { code: 'personal_information', text: 'Leave your name and email address out of the password.' }
  }
  return undefined
}

function tooSimple(kinds: 'any' | 'three' | 'letters and digit', plain: string): Violation | undefined {
  const lower = /\p{Ll}/u.test(plain)
  const upper = /\p{Lu}/u.test(plain)
  const digit = /\p{Nd}/u.test(plain)
  const symbol = /[^\p{Ll}\p{Lu}\p{Nd}]/u.test(plain)
  if (kinds === 'letters and digit' && !(lower && upper && digit)) {
    return { code: 'too_simple', text: 'Use lower-case letters, upper-case letters and digits.' }
  }
  if (kinds === 'three' && [lower, upper, digit, symbol].filter(Boolean).length < 3) {
    return {
      code: 'too_simple',
      text: 'Use at least three of: lower-case letters, upper-case letters, digits, symbols.',
    }
  }
  return undefined
}

/** Pieces shorter than three characters occur in too many words to mean anything. */
function holdsPersonalInformation(plain: string, person: Person): boolean {
  const typed = plain.toLowerCase()
  return [
    person.email?.split('@')[0],
    person.nickname,
    person.given_name,
    person.family_name,
    ...(person.name?.split(/\s+/) ?? []),
  ].some((piece) => piece && piece.length >= 3 && typed.includes(piece.toLowerCase()))
}
