/**
 * What every question to PostgreSQL's catalog shares: who is asked, the options, and the relations that hold tenants' rows.
 * Each part of the inspection is SQL over these tables, so that all of them together cost one round trip.
 */

/**
 * Whatever can ask a question: a pool of postgres.js or node-postgres, or a kit's driver. Parameters are texts, and a list is
 * a text of JSON, since that is what all drivers send alike.
 */
export type CatalogClient =
  | { unsafe(text: string, parameters?: never[]): PromiseLike<readonly unknown[]> }
  | { query(text: string, parameters?: unknown[]): Promise<readonly unknown[] | { rows: readonly unknown[] }> }

/** One way to ask for all of them. */
export function queryOf(client: CatalogClient) {
  const ask = async <R>(text: string, parameters: readonly (string | null)[]): Promise<R[]> => {
    const answer = await ('unsafe' in client
      ? client.unsafe(text, [...parameters] as never[])
      : client.query(text, [...parameters]))
    return [...('rows' in answer ? answer.rows : answer)] as R[]
  }
  return async <R>(text: string, parameters: readonly (string | null)[] = []): Promise<R[]> => {
    for (let left = asksAgain, first: unknown; ; left--) {
      try {
        return await ask<R>(text, parameters)
      } catch (error) {
        first ??= error
        // In a transaction nothing is answered any more: the first error says why.
        if (left === 0 || !isGoneMeanwhile(error)) throw first
      }
    }
  }
}

const asksAgain = 4

/**
 * A table was dropped while it was asked for. A question sees the catalog as it was when it began, but functions such as
 * pg_get_indexdef look at what is there now, and end it with an internal error.
 */
const isGoneMeanwhile = (error: unknown): boolean =>
  error instanceof Error &&
  (error as { code?: unknown }).code === 'XX000' &&
  /cache lookup failed|could not open relation|could not find tuple/.test(error.message)

export interface CatalogOptions {
  /** A relation with this column holds tenants' data: `tenant_id` if left out. */
  tenantColumn?: string
  /** The setting that policies must compare with: `app.tenant_id` if left out. */
  setting?: string
  /** Only these schemas; otherwise every one of the application's that the role may use. */
  schemas?: readonly string[]
  /** The role that serves requests; the connected one if left out. Policies for other roles are not its concern. */
  role?: string
}

export const DEFAULTS = { tenantColumn: 'tenant_id', setting: 'app.tenant_id' }

/** The options as SQL: parameters of a question, or literals of a statement that takes none. */
export interface Given {
  tenantColumn: string
  setting: string
  schemas: string
  role: string
  /** A regular expression for policies that ask for the tenant; see `comparison`. */
  comparison: string
}

export const PARAMETERS: Given = { tenantColumn: '$1', setting: '$2', schemas: '$3', role: '$4', comparison: '$5' }

export const parametersOf = (options: CatalogOptions): (string | null)[] => {
  const { tenantColumn, setting } = { ...DEFAULTS, ...options }
  return [
    tenantColumn,
    setting,
    options.schemas ? JSON.stringify(options.schemas) : null,
    options.role ?? null,
    comparison(tenantColumn, setting),
  ]
}

/**
 * The beginning of every question.
 *
 * - `given`: the options; `place`: the schemas looked into
 * - `reads`: what the views there read, however deep; `shown`: of that, what has the tenant column
 * - `relation`: those in the places, and the views over any of them whatever columns they show; `condition` is what its policy
 *   should say
 */
export const catalogOf = (given: Given): string => `
  given as (
    select ${given.tenantColumn}::text::name as tenant_column, ${given.setting}::text as setting, ${given.schemas}::text::jsonb as schemas,
      coalesce(${given.role}::text, current_user::text)::name as role, ${given.role}::text is not null as role_named,
      ${given.comparison}::text as comparison
  ), place as (
    -- As an array, of which the planner expects few: it would take so long over a plan for many that it compiles it, for a second.
    select n.oid, n.nspname, n.nspowner, n.nspacl from pg_namespace n, given
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and n.nspname = any (case when schemas is null
        then array(select u.nspname from pg_namespace u where has_schema_privilege(role, u.oid, 'usage'))
        else array(select s::name from jsonb_array_elements_text(schemas) s) end)
  ), reads (view, oid) as (
    -- What views of these places read, wherever it is: a table of another schema as well.
    select v.oid, d.refobjid from pg_class v join place n on n.oid = v.relnamespace and v.relkind in ('v', 'm') ${dependencies('v.oid')}
    union
    select v.view, d.refobjid from reads v ${dependencies('v.oid')}
  ), shown as (
    select r.view, r.oid from reads r
    join given on true
    join pg_attribute a on a.attrelid = r.oid and a.attname = tenant_column and not a.attisdropped
  ), relation as (
    select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.reloptions,
      a.attnum as tenant, a.attnotnull, a.attgenerated, n.nspname,
      format('%I.%I', n.nspname, c.relname) as name,
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end as kind,
      format('%I = nullif(current_setting(%L, true), '''')%s', tenant_column, setting,
        case when y.typcategory <> 'S' then '::' || format_type(a.atttypid, null) else '' end) as condition
    from pg_class c
    join place n on n.oid = c.relnamespace
    join given on true
    left join pg_attribute a on a.attrelid = c.oid and a.attname = tenant_column and not a.attisdropped
    left join pg_type y on y.oid = a.atttypid
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and (a.attnum is not null or c.oid in (select view from shown))
  )`

/** A view, as its rule, and what it depends on. */
function dependencies(view: string): string {
  return `join pg_rewrite r on r.ev_class = ${view}
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> ${view}`
}

/**
 * Recognizes, in the words of pg_get_expr, an expression that is true for the tenant's rows alone: the column equals the
 * setting, alone or as one side of an outermost AND. Naming the setting is not enough: `tenant_id = … or shared` names it, too.
 */
export function comparison(tenantColumn: string, setting: string): string {
  const escaped = (text: string) => text.replace(/[^A-Za-z0-9_]/g, '\\$&')
  const column = `"?${escaped(tenantColumn.replaceAll('"', '""'))}"?`
  const asked = `current_setting\\('${escaped(setting.replaceAll("'", "''"))}'::text(, (true|false))?\\)`
  const present = `(NULLIF\\(${asked}, ''::text\\)|${asked})`
  const once = `(\\( SELECT ${present} AS "?[a-z_]+"?\\)|${present})`
  const type = '[a-z ]+(\\(\\d+\\))?'
  const cast = `(\\(${once}\\)::${type}|${once})`
  const value = `(\\(${cast}\\)::${type}|${cast})`
  const equal = `\\((${column}|\\(${column}\\)::text) = ${value}\\)`
  const plain = '(?!.* (OR|CASE|NOT) )' // In between two others; then nothing but ANDs may stand around.
  return `^(${equal}|\\(${equal} AND .*\\)|\\(.* AND ${equal}\\)|${plain}\\(\\(.* AND ${equal} AND .*\\))$`
}
