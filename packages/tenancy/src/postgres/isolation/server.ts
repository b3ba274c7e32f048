/** The server's own version: what was wrong with row-level security itself, and in which minor version it was mended. */
import { part } from './part.ts'

/**
 * From PostgreSQL's release notes. `fixed` is the first good minor version of each major one; majors between `from` and `until`
 * that are not there never got it.
 *
 * Not here: CVE-2026-14666 (mended in 14.24, 15.19, 16.15, 17.11, 18.6). Plans made before a role lost a membership or BYPASSRLS
 * lived on in sessions; a role that `assertSafe` lets pass has none to lose.
 */
const FIXES: readonly { id: string; from: number; until: number; fixed: Record<number, number> }[] = [
  { id: 'CVE-2019-10130', from: 0, until: 11, fixed: { 10: 8, 11: 3 } },
  { id: 'CVE-2023-2455', from: 0, until: 15, fixed: { 11: 20, 12: 15, 13: 11, 14: 8, 15: 3 } },
  { id: 'CVE-2023-39418', from: 15, until: 15, fixed: { 15: 4 } },
  { id: 'CVE-2024-10976', from: 0, until: 17, fixed: { 12: 21, 13: 17, 14: 14, 15: 9, 16: 5, 17: 1 } },
  { id: 'CVE-2025-8713', from: 0, until: 17, fixed: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 } },
]

/** The first good minor version of each major one, with what is wrong below it. */
const LOWEST = `(values ${FIXES.flatMap(({ id, from, until, fixed }) =>
  Array.from({ length: until + 1 - from }, (_, index) => from + index).map(
    (major) => `('${id}', ${major}, ${fixed[major] ?? 'null'})`,
  ),
).join(', ')}) fix (id, major, minor)`

export const server = part({
  problems: {
    unpatched: {
      severity: 'leak',
      why: 'This version is known to show rows past row-level security ({detail}).',
    },
  },
  sql: `
    select 'server' as kind, 'PostgreSQL ' || current_setting('server_version') as object, 'unpatched' as problem, string_agg(id, ', ' order by id) as detail,
      case when bool_or(minor is null) then 'Upgrade PostgreSQL to a version that is still maintained.'
           else format('Upgrade PostgreSQL to %s.%s or later.', max(major), max(minor)) end as remedy, null as facts
      from ${LOWEST}, (select current_setting('server_version_num')::int as version) v
      where version / 10000 = major and (minor is null or version % 10000 < minor)
      having count(*) > 0`,
})
