/** The tables of a schema that hold tenants' rows, as moving, exporting and deleting need to know them. */
import type { Sql, TransactionSql } from 'postgres'

export interface Relation {
  name: string
  /** What is written: without generated columns, in the table's order. */
  columns: string[]
  /** All columns, in the table's order: how a row is written as a record. */
  layout: string[]
  /** Each column with its type, for comparison. */
  shape: string
  /** The primary key's columns. */
  key: string[]
  /** The types of these columns, with their schemas. */
  keyTypes: string[]
  /** Names of the tables of this list that it refers to, without itself. */
  refersTo: string[]
  partition: boolean
  /** It has the triggers of `makeMovable`. */
  movable: boolean
  /** Policies hold for this connection's role too: its owner under FORCE, and nobody who bypasses them. */
  isolated: boolean
  /** Triggers of the application's own. */
  triggers: string[]
  /** Sequences of its columns. */
  sequences: { column: string; sequence: string }[]
}

/**
 * Whole tables are read and deleted below, relying on the policies to leave everybody else's rows alone.
 * @throws Error naming tables whose policies this connection's role would pass by
 */
export function requireIsolated(relations: readonly Relation[]): void {
  const open = relations.filter(({ isolated }) => !isolated).map(({ name }) => name)
  if (open.length === 0) return
  throw new Error(
    `This connection sees every tenant’s rows in ${open.join(', ')}. Connect as their owner, with NOSUPERUSER NOBYPASSRLS, and FORCE ROW LEVEL SECURITY.`,
  )
}

/** Those referred to stand before those that refer. */
export async function findRelations(
  sql: Sql | TransactionSql,
  { schema, tenantColumn = 'tenant_id' }: { schema: string; tenantColumn?: string },
): Promise<Relation[]> {
  const rows = await sql<Relation[]>`
    select c.relname as name, c.relispartition as partition,
      (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as layout,
      -- A type that was made beside the table is told without its schema, which is another one at the other end.
      (select string_agg(a.attname || ' ' || case when starts_with(type, beside) then substr(type, length(beside) + 1) else type end
          || a.attgenerated::text, ', ' order by a.attname)
        from pg_attribute a, format_type(a.atttypid, a.atttypmod) type, concat(quote_ident(n.nspname), '.') beside
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as shape,
      coalesce((select array_agg(a.attname::text order by k.position)
        from pg_index i, unnest(i.indkey) with ordinality k (number, position), pg_attribute a
        where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.number), '{}') as key,
      coalesce((select array_agg(format('%I.%I', s.nspname, y.typname) order by k.position)
        from pg_index i, unnest(i.indkey) with ordinality k (number, position), pg_attribute a, pg_type y, pg_namespace s
        where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.number and y.oid = a.atttypid
          and s.oid = y.typnamespace), '{}') as "keyTypes",
      coalesce((select array_agg(distinct f.relname::text) from pg_constraint r join pg_class f on f.oid = r.confrelid
        where r.conrelid = c.oid and r.contype = 'f' and f.relnamespace = c.relnamespace and f.oid <> c.oid
          and r.conparentid = 0), '{}') as "refersTo",
      (select count(*) from pg_trigger t where t.tgrelid = c.oid and t.tgname in ('tenancy_admit', 'tenancy_capture')
        and t.tgenabled in ('O', 'A')) = 2 as movable,
      row_security_active(c.oid) as isolated,
      coalesce((select array_agg(t.tgname::text) from pg_trigger t
        where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled <> 'D'
          and t.tgname not in ('tenancy_admit', 'tenancy_capture')), '{}') as triggers,
      coalesce((select jsonb_agg(jsonb_build_object('column', a.attname, 'sequence', s.name)) from pg_attribute a,
        pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) s (name)
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and s.name is not null), '[]') as sequences
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute t on t.attrelid = c.oid and t.attname = ${tenantColumn} and not t.attisdropped
    where n.nspname = ${schema} and c.relkind in ('r', 'p')
    order by c.relname`
  return inOrder([...rows])
}

function inOrder(relations: Relation[]): Relation[] {
  const sorted: Relation[] = []
  const names = new Set(relations.map(({ name }) => name))
  let left = relations
  while (left.length > 0) {
    const placed = new Set(sorted.map(({ name }) => name))
    const free = left.filter(({ refersTo }) => refersTo.every((name) => placed.has(name) || !names.has(name)))
    if (free.length === 0) {
      const list = left.map(({ name }) => name).join(', ')
      throw new Error(
        `The tables ${list} refer to each other in a circle; there is no order in which their rows can be copied.`,
      )
    }
    sorted.push(...free)
    left = left.filter((relation) => !free.includes(relation))
  }
  return sorted
}
