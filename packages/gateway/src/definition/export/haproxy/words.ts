import { type Answer, answers } from '../../../answers.ts'

/**
 * A text as one word of a configuration.
 *
 * @throws Error for a line break, which would begin another directive
 */
export function word(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Error(`${JSON.stringify(text)} holds control characters`)
  if (/^[A-Za-z0-9_./:@=,()[\]{}-]+$/.test(text) && text !== '{' && text !== '}') return text
  return `'${text.replaceAll("'", `'"'"'`)}'`
}

/** A text where variables could stand. */
export const literal = (text: string): string => text.replaceAll('%', '%%')

export const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')

/** `{ fetch -m str a b }`: a condition on exact texts. */
export const isOneOf = (fetch: string, texts: readonly string[]): string =>
  `{ ${word(fetch)} -m str -- ${texts.map(word).join(' ')} }`

export const matches = (fetch: string, pattern: string, flags = ''): string =>
  `{ ${word(fetch)} -m reg${flags === '' ? '' : ` ${flags}`} -- ${word(pattern)} }`

/** One of the gateway's own answers; answers without content type are marked, because there is a default for it. */
export function reply(
  answer: Answer,
  condition: string,
  headers: readonly (readonly [string, string])[] = [],
): string[] {
  const fields = headers.map(([name, value]) => ` hdr ${name} ${word(value)}`).join('')
  const line = `http-request return status ${answer.status} content-type application/json string ${word(answer.body)}${fields}`
  const mark = answer.contentType ? [] : [`http-request set-var(txn.bare) bool(true) if ${condition}`]
  return [...mark, `${line} if ${condition}`]
}

/** An answer as HAProxy keeps it in a file. */
export const errorFile = ({ status, body, contentType }: Answer, text: string): string =>
  `HTTP/1.1 ${status} ${text}\r\n${contentType ? 'content-type: application/json\r\n' : ''}` +
  `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

export const files = {
  'bad-request.http': errorFile(answers.malformed, 'Bad Request'),
  'unavailable.http': errorFile(answers.integrationTooSlow, 'Service Unavailable'),
} as const
