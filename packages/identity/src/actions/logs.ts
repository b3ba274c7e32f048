const REDACTED = '[redacted]'
/** Shorter secrets are left alone: replacing every "a" hides nothing and destroys the text. */
const MIN_SECRET = 4

/** The secrets that are worth hiding, longest first, so that one that contains another is hidden whole. */
export const redactable = (secrets: Record<string, string>): string[] =>
  Object.values(secrets)
    .filter((value) => value.length >= MIN_SECRET)
    .sort((a, b) => b.length - a.length)

/**
 * Makes text of customers' code safe to store and to show in a terminal: secrets out, control characters (ANSI
 * sequences, line breaks that forge log entries, bidirectional overrides) escaped, length cut.
 */
export function safeText(text: string, secrets: readonly string[], maxChars: number, keepLines = false): string {
  let out = text
  for (const secret of secrets) out = out.replaceAll(secret, REDACTED)
  const escaped = out
    .slice(0, maxChars)
    .replace(HOSTILE, (character) =>
      keepLines && character === '\n' ? '\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
  return escaped.slice(0, maxChars).toWellFormed()
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what this looks for
const HOSTILE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** Reads the console lines of one run; anything else than a list of strings counts as no lines. */
export function parseLogs(
  text: string,
  secrets: readonly string[],
  limits: { lines: number; chars: number },
): string[] {
  let list: unknown
  try {
    list = JSON.parse(text || '[]')
  } catch {
    return []
  }
  if (!Array.isArray(list)) return []
  return list
    .slice(0, limits.lines)
    .filter((line) => typeof line === 'string')
    .map((line) => safeText(line, secrets, limits.chars))
}

/** An error of the action for the environment's log: the message, then only frames of `action.js`. */
export function safeDetail(detail: string, secrets: readonly string[]): string {
  const lines = detail.split('\n')
  const frame = /^\s+at /
  const kept = lines.filter((line) => !frame.test(line) || line.includes('action.js:'))
  return safeText(kept.join('\n'), secrets, 2048, true)
}
