/** What stands in the text of statements that take no parameters: several in one message, DDL, search_path. */
import type { Scope } from './transaction.ts'

/** A name as PostgreSQL reads it, whatever is in it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text likewise. With a backslash in it as E'…', which reads the same under every `standard_conforming_strings`. */
export function literal(text: string): string {
  if (text.includes('\0')) throw new Error('A value holds a NUL, which PostgreSQL has no text for.')
  return `${text.includes('\\') ? ' E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

/** A body between dollar signs, with a tag that it does not hold. */
export function dollarQuoted(body: string): string {
  let tag = '$protect$'
  for (let number = 1; body.includes(tag); number++) tag = `$protect${number}$`
  return `${tag}${body}${tag}`
}

/** Settings of the transaction. */
export const settingsText = (settings: Scope): string =>
  `select ${Object.entries(settings)
    .map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, true)`)
    .join(', ')}`
