/**
 * What a database connection demands of passwords. Auth0 has two vocabularies for it: five levels with additions beside
 * them, and `password_options`, which says each demand by itself; `demandsOf` reads both into one.
 */
import { isCommon } from './dictionary.ts'

export type PasswordPolicy = 'none' | 'low' | 'fair' | 'good' | 'excellent'
export type CharacterKind = 'lowercase' | 'uppercase' | 'number' | 'special'

/** Parts of a profile that may be kept out of passwords. */
export const PERSONAL_FIELDS = [
  'email',
  'username',
  'name',
  'nickname',
  'given_name',
  'family_name',
  'user_metadata.name',
  'user_metadata.first',
  'user_metadata.last',
] as const
export type PersonalField = (typeof PERSONAL_FIELDS)[number]

/** The part of a connection's options that decides about passwords. */
export interface PasswordOptions {
  passwordPolicy?: PasswordPolicy | undefined
  password_complexity_options?: { min_length?: number | undefined } | undefined
  password_no_personal_info?: { enable?: boolean | undefined } | undefined
  password_dictionary?: { enable?: boolean | undefined; dictionary?: string[] | undefined } | undefined
  password_history?: { enable?: boolean | undefined; size?: number | undefined } | undefined
  /** Each part that is given stands for its older counterpart. */
  password_options?:
    | {
        complexity?:
          | {
              min_length?: number | undefined
              character_types?: CharacterKind[] | undefined
              character_type_rule?: 'all' | 'three_of_four' | undefined
              identical_characters?: 'allow' | 'block' | undefined
              sequential_characters?: 'allow' | 'block' | undefined
              max_length_exceeded?: 'truncate' | 'error' | undefined
            }
          | undefined
        dictionary?:
          | { active?: boolean | undefined; custom?: string[] | undefined; default?: 'en_10k' | 'en_100k' | undefined }
          | undefined
        history?: { active?: boolean | undefined; size?: number | undefined } | undefined
        profile_data?: { active?: boolean | undefined; blocked_fields?: PersonalField[] | undefined } | undefined
      }
    | undefined
}

/** Whose password it is; used only when personal information is refused. */
export interface Person {
  email?: string | null | undefined
  username?: string | null | undefined
  name?: string | null | undefined
  nickname?: string | null | undefined
  given_name?: string | null | undefined
  family_name?: string | null | undefined
  user_metadata?: Record<string, unknown> | null | undefined
}

export interface Violation {
  /** The name of the sentence among the texts of the pages. */
  name: string
  code:
    | 'too_short'
    | 'too_long'
    | 'too_simple'
    | 'repeated_characters'
    | 'sequential_characters'
    | 'personal_information'
    | 'dictionary'
    | 'history'
    | 'leaked'
    | 'forbidden_character'
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

const ALL: readonly CharacterKind[] = ['lowercase', 'uppercase', 'number', 'special']

export interface Demands {
  length: number
  /** How many kinds of which characters. */
  kinds: { of: readonly CharacterKind[]; least: number }
  /** Whether one character may stand three times in a row. */
  identical: boolean
  /** Whether three may follow each other as in abc or 321. */
  sequential: boolean
  personal: readonly PersonalField[]
  /** Words of its own beside those that are common; undefined where any word may be used. */
  dictionary: readonly string[] | undefined
  /** How many earlier passwords may not be used again. */
  history: number
}

const LEVELS: Record<PasswordPolicy, Pick<Demands, 'length' | 'kinds' | 'identical'>> = {
  none: { length: 1, kinds: { of: [], least: 0 }, identical: true },
  low: { length: 6, kinds: { of: [], least: 0 }, identical: true },
  fair: { length: 8, kinds: { of: ['lowercase', 'uppercase', 'number'], least: 3 }, identical: true },
  good: { length: 8, kinds: { of: ALL, least: 3 }, identical: true },
  excellent: { length: 10, kinds: { of: ALL, least: 3 }, identical: false },
}

const HISTORY = 5

export function demandsOf(options: PasswordOptions): Demands {
  const level = LEVELS[options.passwordPolicy ?? defaultPolicy]
  const { complexity, dictionary, history, profile_data } = options.password_options ?? {}
  const older = { dictionary: options.password_dictionary, history: options.password_history }
  const kinds = complexity && (complexity.character_types ?? [])
  const usesDictionary = dictionary ? dictionary.active : older.dictionary?.enable
  const usesHistory = history ? history.active : older.history?.enable
  const isPersonalRefused = profile_data ? profile_data.active : options.password_no_personal_info?.enable
  return {
    length: complexity
      ? (complexity.min_length ?? 1)
      : (options.password_complexity_options?.min_length ?? level.length),
    kinds: kinds
      ? { of: kinds, least: complexity.character_type_rule === 'three_of_four' ? 3 : kinds.length }
      : level.kinds,
    identical: complexity ? complexity.identical_characters !== 'block' : level.identical,
    sequential: complexity?.sequential_characters !== 'block',
    personal: isPersonalRefused ? (profile_data?.blocked_fields ?? PERSONAL_FIELDS) : [],
    dictionary: usesDictionary ? ((dictionary ? dictionary.custom : older.dictionary?.dictionary) ?? []) : undefined,
    history: usesHistory ? ((history ? history.size : older.history?.size) ?? HISTORY) : 0,
  }
}

/** The numbers that the texts about passwords name. */
export function passwordLimits(options: PasswordOptions) {
  const { length, history } = demandsOf(options)
  return { minimum: length, maximum: MAXIMUM_CHARACTERS, remembered: history }
}

export interface PasswordRule {
  /** Of the text that says it. */
  name: string
  /** What a page can tick off while the password is typed: the number of characters, kinds of them, runs of them. */
  length?: number
  kinds?: readonly CharacterKind[]
  least?: number
  runs?: 'identical' | 'sequential'
}

/** What is asked of a new password, for the page that asks: in the order of the checks, so none comes as a surprise. */
export function passwordRules(options: PasswordOptions): PasswordRule[] {
  const { length, kinds, identical, sequential, personal, dictionary, history } = demandsOf(options)
  const long = `password-policy-length-${length >= 12 && kinds.of.length === 0 ? 'in-words' : 'at-least'}`
  const rules: (PasswordRule | undefined)[] = [
    length > 1 ? { name: long, length } : undefined,
    ...kindRules(kinds),
    identical ? undefined : { name: 'password-policy-identical-chars', runs: 'identical' },
    sequential ? undefined : { name: 'password-policy-sequential-chars', runs: 'sequential' },
    personal.length > 0 ? { name: 'password-policy-user-information' } : undefined,
    dictionary ? { name: 'password-policy-common' } : undefined,
    history > 0 ? { name: 'password-policy-history' } : undefined,
  ]
  return rules.filter((rule) => rule !== undefined)
}

function kindRules({ of, least }: Demands['kinds']): PasswordRule[] {
  if (of.length === 0) return []
  if (least < of.length) return [{ name: 'password-policy-contains-at-least', kinds: of, least }]
  if (of.length === 3 && !of.includes('special')) {
    return [{ name: 'password-policy-letters-and-digits', kinds: of, least }]
  }
  return of.map((kind) => ({ name: `password-policy-${kind}`, kinds: [kind], least: 1 }))
}

/** @returns the first rule that the password breaks, or undefined when it may be used. */
export function checkPassword(options: PasswordOptions, plain: string, person: Person = {}): Violation | undefined {
  const demands = demandsOf(options)
  const { length: minimum } = demands
  if (plain.includes('\0')) {
    return {
      name: 'password-forbidden-character',
      code: 'forbidden_character',
      text: 'Use letters, digits and symbols; a NUL character is not allowed.',
    }
  }
  if (isTooLong(plain)) {
    return { name: 'password-too-long', code: 'too_long', text: `Use at most ${MAXIMUM_CHARACTERS} characters.` }
  }
  if ([...plain].length < minimum) {
    return {
      name: minimum === 1 ? 'no-password' : `password-too-short${minimum < 12 ? '' : '-for-words'}`,
      code: 'too_short',
      text:
        minimum === 1
          ? 'Enter a password.'
          : `Use at least ${minimum} characters.${minimum < 12 ? '' : ' Three random words work well.'}`,
    }
  }
  const simple = tooSimple(demands.kinds, plain)
  if (simple) return simple
  if (!demands.identical && holdsIdentical(plain)) {
    return {
      name: 'password-repeated-characters',
      code: 'repeated_characters',
      text: 'Use no more than two identical characters in a row.',
    }
  }
  if (!demands.sequential && holdsSequence(plain)) {
    return {
      name: 'password-sequential-characters',
      code: 'sequential_characters',
      text: 'Use no runs of characters as in abc or 321.',
    }
  }
  if (holdsPersonalInformation(demands.personal, plain, person)) {
    return {
      name: 'password-contains-user-information',
      code: 'personal_information',
      text: 'Leave your name and email address out of the password.',
    }
  }
  if (demands.dictionary && isCommon(plain, demands.dictionary)) {
    return {
      name: 'password-too-common',
      code: 'dictionary',
      text: 'This password is too common. Choose one that nobody would guess.',
    }
  }
  return undefined
}

const KINDS: Record<CharacterKind, RegExp> = {
  lowercase: /\p{Ll}/u,
  uppercase: /\p{Lu}/u,
  number: /\p{Nd}/u,
  special: /[^\p{Ll}\p{Lu}\p{Nd}]/u,
}
export const holdsKind = (kind: CharacterKind, plain: string): boolean => KINDS[kind].test(plain)
export const holdsIdentical = (plain: string): boolean => /(.)\1\1/su.test(plain)

const holdsSequence = (plain: string): boolean => {
  const points = [...plain.toLowerCase()].map((character) => character.codePointAt(0)!)
  return points.some((point, at) => {
    const [before, first] = [points[at - 1], points[at - 2]]
    const isWord = /[\p{L}\p{Nd}]/u.test(String.fromCodePoint(point))
    return isWord && before !== undefined && Math.abs(point - before) === 1 && before - first! === point - before
  })
}

const WORDS: Record<CharacterKind, string> = {
  lowercase: 'a lower-case letter',
  uppercase: 'an upper-case letter',
  number: 'a digit',
  special: 'a symbol',
}

function tooSimple({ of, least }: Demands['kinds'], plain: string): Violation | undefined {
  const missing = of.filter((kind) => !holdsKind(kind, plain))
  if (of.length - missing.length >= least) return undefined
  if (least < of.length) {
    return {
      name: 'password-needs-three-kinds',
      code: 'too_simple',
      text: 'Use at least three of: lower-case letters, upper-case letters, digits, symbols.',
    }
  }
  if (of.length === 3 && !of.includes('special')) {
    return {
      name: 'password-needs-letters-and-digits',
      code: 'too_simple',
      text: 'Use lower-case letters, upper-case letters and digits.',
    }
  }
  return { name: `password-needs-${missing[0]}`, code: 'too_simple', text: `Use at least ${WORDS[missing[0]!]}.` }
}

/** Pieces shorter than three characters occur in too many words to mean anything. */
function holdsPersonalInformation(fields: readonly PersonalField[], plain: string, person: Person): boolean {
  if (fields.length === 0) return false
  const typed = plain.toLowerCase()
  return fields
    .flatMap((field) => {
      const value = field.startsWith('user_metadata.')
        ? person.user_metadata?.[field.slice(14)]
        : person[field as Exclude<PersonalField, `user_metadata.${string}`>]
      if (typeof value !== 'string') return []
      return field === 'email'
        ? [value.split('@')[0]!]
        : field.endsWith('name')
          ? [value, ...value.split(/\s+/)]
          : [value]
    })
    .some((piece) => piece.length >= 3 && typed.includes(piece.toLowerCase()))
}
