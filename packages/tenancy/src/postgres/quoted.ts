/** A name as PostgreSQL reads it, whatever is in it. For statements that take no parameters, and for search_path. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text likewise. With a backslash in it as E'…', which reads the same under every `standard_conforming_strings`. */
export const literal = (text: string): string =>
  `${text.includes('\\') ? 'E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** A body between dollar signs, with a tag that it does not hold. */
export function dollarQuoted(body: string): string {
  let tag = '$protect$'
  for (let number = 1; body.includes(tag); number++) tag = `$protect${number}$`
  return `${tag}${body}${tag}`
}
