import { dollarQuoted, literal } from '../quoted.ts'
import { type CatalogClient, DEFAULTS, queryOf } from './catalog.ts'
import { type IsolationFinding, inspectIsolation } from './inspect.ts'
import { type ProtectOptions, protectStatements } from './protect-sql.ts'

/**
 * Runs what `protectSql` says, all of it or nothing, in one statement. The type of a tenant column that is there is looked up.
 *
 * @param owner a connection as the owner of the tables
 * @returns what is still to be mended by hand in these tables, such as another policy that lets more through
 * @throws Error of PostgreSQL, as for rows that do not say whose they are; nothing has changed then
 * @example
 * const tables = [{ name: 'orders', backfill: { tenant: 'acme' } }]
 * await protect(owner, { tables, role: 'app', addColumn: true }) // → []
 */
export async function protect(owner: CatalogClient, options: ProtectOptions): Promise<IsolationFinding[]> {
  const { schema = 'public', role } = options
  const { tenantColumn, setting } = { ...DEFAULTS, ...options }
  const tables = options.tables.map((each) => (typeof each === 'string' ? each : each.name))
  const query = queryOf(owner)
  const [there] = await query<{ type: string }>(TYPE, [schema, JSON.stringify(tables), tenantColumn])
  const type = options.type ?? there?.type
  const statements = protectStatements({ ...options, ...(type ? { type } : {}) })
  // A pool may give each statement another connection, so there is only one; within it they are run in turn.
  await query(`do ${dollarQuoted(`begin\n${statements.map((each) => `execute ${literal(each)};`).join('\n')}\nend`)}`)
  const names = new Set(
    (await query<{ name: string }>(NAMES, [schema, JSON.stringify(tables)])).map(({ name }) => name),
  )
  const findings = await inspectIsolation(owner, { schemas: [schema], role, tenantColumn, setting })
  return findings.filter(({ object }) => names.has(object))
}

const TYPE = `
  select format_type(a.atttypid, null) as type
  from jsonb_array_elements_text($2::text::jsonb) name
  join pg_attribute a on a.attrelid = to_regclass(format('%I.%I', $1::text, name)) and a.attname = $3::text and not a.attisdropped
  limit 1`
const NAMES = `select format('%I.%I', $1::text, name) as name from jsonb_array_elements_text($2::text::jsonb) name`
