import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { CustomDomainRow } from './store.ts'

export const problems = defineProblems({
  invalid_query_string: { status: 400, title: 'Query validation error: {reason}' },
})

const METADATA = 'domain_metadata.'

/**
 * What of Auth0's query language helps with a handful of domains: one condition on `domain`, `status`, `is_default` or
 * `domain_metadata.{key}`, with * at the end of its value for a beginning.
 *
 * @throws Problem `invalid_query_string`
 */
export function matching(q: string | undefined): (row: CustomDomainRow) => boolean {
  if (q === undefined) return () => true
  const [, field, quoted, bare] =
    /^(domain|status|is_default|domain_metadata\.[\w.-]{1,255}):(?:"([^"*?\\]*)"|([^\s"():?\\]+))$/.exec(q) ?? []
  if (field === undefined) {
    const reason =
      "'q' takes one condition on domain, status, is_default or domain_metadata.{key}, as in domain:login.*"
    throw problems.invalid_query_string({ facts: { reason } })
  }
  const wanted = quoted ?? bare!
  const textOf = (row: CustomDomainRow): string | undefined => {
    if (!field.startsWith(METADATA)) return String(row[field as 'domain' | 'status' | 'is_default'])
    const name = field.slice(METADATA.length)
    return Object.hasOwn(row.domain_metadata, name) ? row.domain_metadata[name] : undefined
  }
  if (quoted === undefined && wanted.endsWith('*')) {
    const beginning = wanted.slice(0, -1)
    return (row) => textOf(row)?.startsWith(beginning) ?? false
  }
  return (row) => textOf(row) === wanted
}
