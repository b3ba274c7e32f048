/**
 * What details of an entry may hold. Logs are read by more people than secrets are, and leave the house through streams,
 * so values are taken away by the name of their member, and what is left is cut to a bounded size.
 */

const SECRET =
  /pass(word|wd|phrase)?$|password_?hash|secret|token(?!_(type|lifetime|endpoint|dialect|exchange|quota))|credential|ticket|private|api_?key|authorization|assertion|cookie|verifier|recovery_code|otp|invitation_url|connection_?string|pem$|(^|_)hash$|(^|_)key$/i
/** Members that only sound like secrets. */
const HARMLESS = new Set([
  'token_endpoint_auth_method',
  'token_lifetime',
  'token_lifetime_for_web',
  'token_dialect',
  'token_exchange',
  'token_quota',
  'refresh_token_metadata',
  'infinite_token_lifetime',
  'idle_token_lifetime',
  'infinite_idle_token_lifetime',
  'passwordPolicy',
])
const REDACTED = '*****'
const LONGEST_TEXT = 1024
const LARGEST = 16 * 1024
const DEEPEST = 8

/** A copy that may be kept: without secrets, without NUL (which jsonb refuses), and small. */
export function redacted(value: unknown): unknown {
  const copy = walk(value, 0)
  const size = Buffer.byteLength(JSON.stringify(copy) ?? '')
  return size <= LARGEST ? copy : { truncated: true, bytes: size }
}

function walk(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value, LONGEST_TEXT)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= DEEPEST) return '…'
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => walk(item, depth + 1))
  const secrets = isNamedSecret(value)
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      cut(name, 100),
      isSecret(name, member) || (secrets && name === 'value') ? REDACTED : walk(member, depth + 1),
    ]),
  )
}

/** `{name, value}`: an Action's secret carries its value under a harmless word. */
const isNamedSecret = (value: object): boolean => 'name' in value && 'value' in value

/** Objects are looked into by the names of their own members; `credentials: {api_key}` goes as a whole all the same. */
const isSecret = (name: string, member: unknown): boolean =>
  member !== null &&
  typeof member !== 'boolean' &&
  !HARMLESS.has(name) &&
  SECRET.test(name) &&
  !isSettings(name, member)

/** `refresh_token: {rotation_type …}` of a client is a setting, where `refresh_token: "…"` is the thing itself. */
const isSettings = (name: string, member: unknown): boolean =>
  typeof member === 'object' && !/credential|secret|private/i.test(name)

/**
 * Cuts a text, and takes away what a column refuses or a terminal would act on. Half a character, which a cut leaves, is
 * refused as well: with it all entries that are written together would be lost.
 */
export const cut = (text: string, length: number): string =>
  text
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .slice(0, length)
    .toWellFormed()
