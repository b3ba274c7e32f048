/** The statements that put existing tables under the tenant's policy, as text: for migrations kept as files. */
import { dollarQuoted, literal, quoted } from '../quoted.ts'
import { catalogOf, DEFAULTS } from './catalog.ts'
import { MENDED_KEYS } from './keys.ts'

export interface TableToProtect {
  name: string
  /**
   * Whose the rows are that are there and do not say it: one tenant's, or what an SQL expression tells of each row, such as
   * `select c.tenant_id from customers c where c.id = orders.customer_id`. Without it such rows are an error.
   */
  backfill?: { tenant: string } | { query: string }
}

export interface ProtectOptions {
  /** Tables that refer to each other belong into one call: their keys change together. */
  tables: readonly (string | TableToProtect)[]
  /** The role that serves requests. It may select, insert, update and delete, and nothing that goes past the policies. */
  role: string
  /** `public` if left out. */
  schema?: string
  /** `tenant_id` if left out. */
  tenantColumn?: string
  /** The setting that policies compare with: `app.tenant_id` if left out. */
  setting?: string
  /** The tenant column's type: `text` if left out. */
  type?: string
  /** Adds the tenant column where it is missing. */
  addColumn?: boolean
  /** `false` leaves unique keys and foreign keys as they are; `inspectIsolation` then goes on finding them. */
  keys?: boolean
}

/**
 * The SQL by which existing tables keep tenants apart; run it as their owner, again at will. Each table, with its partitions,
 * has the policy afterwards, enabled and forced; a tenant column that is not NULL and defaults to the tenant of the transaction,
 * so that inserts need no change; unique keys, and the foreign keys that refer to them, led by the tenant under the names they
 * had; and the grants of the application's role. Rows that do not say whose they are, and keys that cannot be changed without
 * guessing, are an error that names them.
 *
 * Keys are built anew, under a lock that stops reads and writes of their tables: run it when that does no harm. `on conflict (id)`
 * in your own SQL becomes `on conflict (tenant_id, id)`.
 *
 * @throws Error for a type that is no name of a type
 * @example
 * const migration = protectSql({ tables: ['customers', 'orders'], role: 'app', addColumn: true })
 * await owner.unsafe(migration)
 * await findUnprotectedTables(sql) // → []
 */
export function protectSql(options: ProtectOptions): string {
  return `${protectStatements(options).join('\n\n')}\n`
}

/** One by one, each a statement or a few of one kind. */
export function protectStatements(options: ProtectOptions): string[] {
  const { role, schema = 'public', addColumn = false, keys = true, type = 'text' } = options
  const { tenantColumn, setting } = { ...DEFAULTS, ...options }
  if (!/^[a-z][a-z0-9_ .]*(\(\d+\))?$/i.test(type)) throw new Error(`${type} is not the name of a type.`)
  const column = quoted(tenantColumn)
  // Never `::character`: that is one character.
  const cast = /^(text|varchar|char|character|bpchar|citext)\b/i.test(type) ? '' : `::${type}`
  const current = `nullif(current_setting(${literal(setting)}, true), '')${cast}`
  const policy = `using (${column} = ${current}) with check (${column} = ${current})`
  const tables = options.tables.map((each) => {
    const { name, backfill }: TableToProtect = typeof each === 'string' ? { name: each } : each
    return { table: `${quoted(schema)}.${quoted(name)}`, backfill }
  })

  const filled = tables.map(({ table, backfill }) => [
    ...(addColumn ? [`alter table ${table} add column if not exists ${column} ${type};`] : []),
    // The owner must see the rows it fills in, and those that foreign keys are checked against.
    `alter table ${table} no force row level security;`,
    ...(backfill ? [`update ${table} set ${column} = ${filling(backfill, cast)} where ${column} is null;`] : []),
    `do ${dollarQuoted(`
begin
  if exists (select from ${table} where ${column} is null) then
    raise exception '% has rows that do not say whose they are. Name their tenant, or a query that tells it (backfill).', ${literal(table)}
      using hint = 'Of a table that is protected already a query sees no rows, unless the table is protected again in the same call.';
  end if;
end `)};`,
    `alter table ${table} alter column ${column} set default ${current}, alter column ${column} set not null;`,
  ])
  const names = tables.map(({ table }) => table)
  const guarded = names.map((table) => [
    `alter table ${table} enable row level security;`,
    `alter table ${table} force row level security;`,
    `drop policy if exists tenant on ${table};`,
    `create policy tenant on ${table} ${policy};`,
    `revoke all on ${table} from public;`,
    `revoke truncate, references, trigger on ${table} from ${quoted(role)};`,
    `grant select, insert, update, delete on ${table} to ${quoted(role)};`,
    partsOf(table, { column: tenantColumn, policy, role }),
  ])
  return [
    ...filled.flat(),
    ...(keys ? [keysOf(names, tenantColumn, setting)] : []),
    ...guarded.flat(),
    `grant usage on schema ${quoted(schema)} to ${quoted(role)};`,
  ]
}

const filling = (backfill: { tenant: string } | { query: string }, cast: string): string =>
  'tenant' in backfill ? `${literal(backfill.tenant)}${cast}` : `(${backfill.query})`

/** Keys without the tenant, one after the other: mending one mends the foreign keys that refer to it. */
function keysOf(names: readonly string[], tenantColumn: string, setting: string): string {
  const tables = names.map((name) => `${literal(name)}::regclass`).join(', ')
  const given = {
    tenantColumn: literal(tenantColumn),
    setting: literal(setting),
    // Theirs and of what they refer to: a table that somebody else drops meanwhile would end this with an error.
    schemas: `(select jsonb_agg(distinct n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid in (${tables}) or c.oid in (select confrelid from pg_constraint where conrelid in (${tables}))
          or c.oid in (select conrelid from pg_constraint where confrelid in (${tables})))`,
    role: 'null',
    comparison: 'null',
  }
  return `-- Unique keys and foreign keys without the tenant get it.
do ${dollarQuoted(`
declare
  change text;
begin
  for step in 1 .. 1000 loop
    with recursive ${catalogOf(given)}, ${MENDED_KEYS}
    select k.remedy into change
    from (select relation, remedy from mended_key union all select relation, remedy from mended_reference where alone) k
    where k.relation in (${tables}) limit 1;
    exit when change is null;
    if starts_with(change, '-- ') then raise exception '%', substr(change, 4); end if;
    execute change;
  end loop;
end `)};`
}

/** What depends on what is there: partitions, an index for the policy, the sequences of serial columns. */
function partsOf(table: string, { column, policy, role }: { column: string; policy: string; role: string }): string {
  const root = `${literal(table)}::regclass`
  return `do ${dollarQuoted(`
declare
  part regclass;
begin
  for part in
    with recursive tree (oid) as (
      select inhrelid from pg_inherits where inhparent = ${root}
      union select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.oid
    )
    select c.oid from tree join pg_class c using (oid) where c.relkind in ('r', 'p')
  loop
    execute format('alter table %s enable row level security', part);
    execute format('alter table %s force row level security', part);
    execute format('drop policy if exists tenant on %s', part);
    execute format('create policy tenant on %s %s', part, ${literal(policy)});
    execute format('revoke all on %s from public', part);
    execute format('revoke truncate, references, trigger on %s from %I', part, ${literal(role)});
  end loop;
  if not exists (
    select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = ${root} and a.attname = ${literal(column)} and i.indisvalid and i.indpred is null
  ) then
    execute format('create index on %s (%I)', ${root}, ${literal(column)});
  end if;
  for part in
    select s.oid from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = ${root} and d.deptype = 'a'
  loop
    execute format('grant usage on sequence %s to %I', part, ${literal(role)});
  end loop;
end `)};`
}
