/** Passwords that many people have: the first ten thousand of a public list, in the order of how often they occur. */
import { createRequire } from 'node:module'

const COMMON = 10_000

let common: ReadonlySet<string> | undefined

/** Read when a connection first asks for it: it costs a start 60 milliseconds that most never need. */
function commonPasswords(): ReadonlySet<string> {
  if (common) return common
  const load = createRequire(import.meta.url)
  const { dictionary } = load('@zxcvbn-ts/language-common') as { dictionary: { 'passwords-common': string[] } }
  common = new Set(dictionary['passwords-common'].slice(0, COMMON))
  return common
}

/** Whether a password is one of the common ones, or of the connection's own, whatever its upper and lower case. */
export function isCommon(plain: string, own: readonly string[]): boolean {
  const typed = plain.toLowerCase()
  return commonPasswords().has(typed) || own.some((word) => word.toLowerCase() === typed)
}
