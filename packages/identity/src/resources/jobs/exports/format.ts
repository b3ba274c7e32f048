import { type Field, valueAt } from './fields.ts'

/** One user per line; what a user does not have is left out. */
export function ndjson(users: object[], fields: Field[]): string {
  return users
    .map((user) => {
      const shown = fields.map(({ title, path }) => [title, valueAt(user, path)] as const)
      return `${JSON.stringify(Object.fromEntries(shown.filter(([, value]) => value !== undefined && value !== null)))}\n`
    })
    .join('')
}

/** RFC 4180, with a line of titles at the beginning of the file. */
export function csv(users: object[], fields: Field[], withTitles: boolean): string {
  const lines = users.map((user) => fields.map(({ path }) => cell(valueAt(user, path))).join(','))
  if (withTitles) lines.unshift(fields.map(({ title }) => cell(title)).join(','))
  return lines.map((line) => `${line}\r\n`).join('')
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return value.toISOString()
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `"${neutralised(text).replaceAll('"', '""')}"`
}

/**
 * A spreadsheet runs a cell that begins like a formula (CWE-1236), also one in full width. An apostrophe in front makes it
 * text. A value that begins with an apostrophe of its own gets a second one, so whoever takes one away has the true value.
 */
const neutralised = (text: string): string => (/^[=+\-@\t\r\n'＝＋－＠]/u.test(text) ? `'${text}` : text)
