/**
 * What PostgreSQL's own catalog says about isolation. Row-level security is only as good as the table that forgot it, the role
 * that may ignore it and the key that asks past it, and none shows in a test that asks for its own rows.
 */
import { type CatalogClient, type CatalogOptions, catalogOf, PARAMETERS, parametersOf, queryOf } from './catalog.ts'
import { functions } from './functions.ts'
import { grants } from './grants.ts'
import { keys } from './keys.ts'
import { largeObjects } from './large-objects.ts'
import type { Part, ProblemWords, Severity } from './part.ts'
import { policies } from './policies.ts'
import { protectSql } from './protect-sql.ts'
import { publications } from './publications.ts'
import { roles } from './roles.ts'
import { rules } from './rules.ts'
import { server } from './server.ts'
import { tables } from './tables.ts'
import { views } from './views.ts'

const RELATIONS = [tables, policies, keys, views, rules, grants] as const
const ALL = [server, roles, ...RELATIONS, functions, publications, largeObjects] as const

type ProblemOf<P> = P extends Part<infer Problem> ? Problem : never
/** What can be wrong with a table, view, materialized view or foreign table. */
export type TableProblem = ProblemOf<(typeof RELATIONS)[number]>
/** Everything that an inspection can find. */
export type IsolationProblem = ProblemOf<(typeof ALL)[number]>

export interface IsolationFinding {
  kind:
    | 'server'
    | 'role'
    | 'schema'
    | 'table'
    | 'view'
    | 'materialized view'
    | 'foreign table'
    | 'function'
    | 'default privileges'
    | 'publication'
    | 'large objects'
  /** As PostgreSQL writes it: `public.orders`, `public.total(text)`, `app`. */
  object: string
  problem: IsolationProblem
  /** `leak`: tenants can read, change or learn of each other. `risk`: one mistake or one more statement away from it. */
  severity: Severity
  why: string
  /**
   * The SQL that mends it, for the owner of the object, or an administrator where it is about roles and the server's own. A
   * comment (`-- …`) or a sentence where no statement would do.
   */
  remedy: string
}

export interface InspectionOptions extends CatalogOptions {
  /** Objects that are as they are on purpose, named as in findings: a function that is the one door across tenants, say. */
  accepted?: readonly string[]
}

/**
 * Everything in the catalog by which tenants could read, change or learn of each other's rows: tables and partitions, policies,
 * keys and foreign keys, views, rules, grants, functions, roles, publications, large objects, and the server's own version. Each finding says why it
 * is one and how it is mended. One round trip; put it into CI.
 *
 * @param client connected as anybody; `role` names the role that serves requests if that is somebody else
 * @throws Error of PostgreSQL, as when the role does not exist
 * @example
 * const findings = await inspectIsolation(sql, { role: 'app' })
 * findings[0]
 * // → {
 * //     object: 'public.orders',
 * //     why: 'Row-level security is not enabled, so policies are not asked and every row is seen.',
 * //     remedy: 'alter table public.orders enable row level security;',
 * //     …
 * //   }
 */
export async function inspectIsolation(
  client: CatalogClient,
  options: InspectionOptions = {},
): Promise<IsolationFinding[]> {
  const accepted = new Set(options.accepted)
  return (await ask(client, ALL, options)).filter(({ object }) => !accepted.has(object))
}

export interface UnprotectedTable {
  table: string
  problems: TableProblem[]
}

/**
 * Lists every relation that holds tenants' rows and does not keep them apart, with the reasons. `inspectIsolation` looks at more,
 * and says of each how to mend it. Run it in CI and let it fail by name.
 *
 * @example
 * import assert from 'node:assert/strict'
 *
 * assert.deepEqual(await findUnprotectedTables(sql), [])
 */
export async function findUnprotectedTables(
  client: CatalogClient,
  options: CatalogOptions = {},
): Promise<UnprotectedTable[]> {
  return byTable(await ask(client, RELATIONS, options))
}

export interface RoleProblem {
  role: string
  problem: string
}

/** Why the connected role, or the one of the options, may ignore row-level security. */
export async function findRoleProblems(client: CatalogClient, options: CatalogOptions = {}): Promise<RoleProblem[]> {
  return (await ask(client, [roles], options))
    .filter(({ severity }) => severity === 'leak')
    .map(({ object, why }) => ({ role: object, problem: why }))
}

/**
 * What a program that is about to serve requests needs to know, in one round trip.
 * @throws Error naming the server, the role or the tables, and the remedy
 */
export async function requireIsolation(client: CatalogClient, options: CatalogOptions): Promise<void> {
  const leaks = (await ask(client, [server, roles, ...RELATIONS], options)).filter(
    ({ severity }) => severity === 'leak',
  )
  const [unpatched] = leaks.filter(({ kind }) => kind === 'server')
  if (unpatched)
    throw new Error(`Tenants are not isolated by ${unpatched.object}: ${unpatched.why} ${unpatched.remedy}`)
  const wrong = leaks.filter(({ kind }) => kind === 'role')
  if (wrong.length > 0) {
    const list = wrong.map(({ object, why }) => `${object}: ${why}`).join(' ')
    throw new Error(
      `Tenants are not isolated on this connection. ${list} Connect as a role that owns nothing, with NOSUPERUSER NOBYPASSRLS.`,
    )
  }
  const unprotected = byTable(leaks)
  if (unprotected.length > 0) {
    const list = unprotected.map(({ table, problems }) => `${table} (${problems.join(', ')})`).join('; ')
    throw new Error(
      `Tenants are not isolated in these relations: ${list}. inspectIsolation says why, and how to mend each; so does \`tenantry isolation check\`.`,
    )
  }
}

interface Row extends Omit<IsolationFinding, 'severity' | 'why' | 'remedy'> {
  detail: string | null
  remedy: string | null
  /** Of a table that needs more than a statement: what `protectSql` must know. */
  facts: string | null
}

async function ask(
  client: CatalogClient,
  parts: readonly Part[],
  options: CatalogOptions,
): Promise<IsolationFinding[]> {
  const words: Record<string, ProblemWords> = Object.assign({}, ...parts.map(({ problems }) => problems))
  const further = parts.flatMap(({ tables: own }) => own ?? [])
  // Views ask what is granted.
  const text = `with recursive ${[catalogOf(PARAMETERS), ...further].join(', ')}
    select kind, object, problem, detail, remedy, facts from (${parts.map(({ sql }) => sql).join('\n union all ')}) found`
  const rows = await queryOf(client)<Row>(text, parametersOf(options))
  const order = Object.keys(words)
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return rows
    .sort(
      (a, b) =>
        KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
        compare(a.object, b.object) ||
        order.indexOf(a.problem) - order.indexOf(b.problem) ||
        compare(a.detail ?? '', b.detail ?? ''),
    )
    .map(({ kind, object, problem, detail, remedy, facts }) => {
      const { severity, why } = words[problem]!
      return {
        kind,
        object,
        problem,
        severity,
        why: why.replace('{detail}', () => detail ?? ''),
        remedy: remedy ?? (facts === null ? '-- To be mended by hand.' : remedyOf(JSON.parse(facts), options)),
      }
    })
}

const KINDS = [
  'server',
  'role',
  'schema',
  'table',
  'view',
  'materialized view',
  'foreign table',
  'function',
  'default privileges',
  'publication',
  'large objects',
]

/** A table that belongs to tenants only by what it refers to: it gets the column from there. */
function remedyOf(
  facts: { schema: string; name: string; type: string; query: string; role: string; parent: string | null },
  { tenantColumn, setting }: CatalogOptions,
): string {
  const statements = protectSql({
    schema: facts.schema,
    tables: [{ name: facts.name, backfill: { query: facts.query } }],
    role: facts.role,
    type: facts.type,
    addColumn: true,
    ...(tenantColumn ? { tenantColumn } : {}),
    ...(setting ? { setting } : {}),
  })
  // FORCE would hide from the owner whose the rows are.
  const forced = (no: string) => (facts.parent ? `alter table ${facts.parent} ${no}force row level security;\n` : '')
  return `${forced('no ')}${statements}${forced('')}`
}

function byTable(findings: readonly IsolationFinding[]): UnprotectedTable[] {
  const leaks = findings.filter(({ severity, kind }) => severity === 'leak' && OF_RELATIONS.has(kind))
  return [...Map.groupBy(leaks, ({ object }) => object)].map(([table, found]) => ({
    table,
    problems: [...new Set(found.map(({ problem }) => problem as TableProblem))],
  }))
}

const OF_RELATIONS = new Set(['table', 'view', 'materialized view', 'foreign table'])
