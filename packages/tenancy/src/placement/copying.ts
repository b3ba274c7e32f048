/**
 * Rows of one tenant from one schema to another, perhaps of another server. Both ends are single connections inside a transaction
 * whose scope is the tenant, so that not even a mistake here reaches another tenant's rows: the owner of tables with
 * FORCE ROW LEVEL SECURITY sees what the policies let it see.
 */
import { pipeline } from 'node:stream/promises'
import type { ReservedSql } from 'postgres'
import { quoted } from '../postgres/quoted.ts'
import { MOVES } from './movable.ts'
import type { Relation } from './relations.ts'

/** One end: a connection, and where the tables are. */
export interface End {
  sql: ReservedSql
  schema: string
  tenantId: string
  setting: string
}

export const placeOf = ({ schema, tenantId }: Pick<End, 'schema' | 'tenantId'>): string => `${schema} ${tenantId}`
const list = (names: readonly string[], of = ''): string => names.map((name) => `${of}${quoted(name)}`).join(', ')
const tableOf = ({ schema }: End, { name }: Relation): string => `${quoted(schema)}.${quoted(name)}`

/** Values must be written alike at both ends, to be compared as text and to be read again as what they were. */
export async function begin(end: End, isolation: 'read committed' | 'repeatable read'): Promise<void> {
  await end.sql.unsafe(`begin isolation level ${isolation}`)
  const settings = {
    [end.setting]: end.tenantId,
    'tenancy.mover': 'on',
    timezone: 'UTC',
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
    // Names are written out; temporary tables are found without.
    search_path: 'pg_catalog, pg_temp',
  }
  await end.sql`select set_config(name, value, true) from jsonb_each_text(${end.sql.json(settings)}) setting (name, value)`
}

export const commit = async ({ sql }: End): Promise<void> => void (await sql.unsafe('commit'))
/** Whatever state the connection is in. */
export const rollback = async ({ sql }: End): Promise<void> => void (await sql.unsafe('rollback').catch(() => {}))

async function stream(source: End, query: string, target: End, into: string): Promise<void> {
  const from = await source.sql.unsafe(`copy (${query}) to stdout`).readable()
  const to = await target.sql.unsafe(`copy ${into} from stdin`).writable()
  await pipeline(from, to)
}

/** A table like this one without its rules; COPY cannot write into tables with row-level security. */
async function stage(target: End, relation: Relation): Promise<string> {
  const name = quoted(relation.name)
  await target.sql.unsafe(`create temp table if not exists ${name} (like ${tableOf(target, relation)}) on commit drop`)
  await target.sql.unsafe(`truncate pg_temp.${name}`)
  return `pg_temp.${name}`
}

const insertFrom = (target: End, relation: Relation, staged: string): string =>
  `insert into ${tableOf(target, relation)} (${list(relation.columns)}) overriding system value
   select ${list(relation.columns)} from ${staged}`

/** Everything, as the source's transaction sees it, into tables that hold nothing of this tenant. @returns rows */
export async function copyAll(source: End, target: End, relations: readonly Relation[]): Promise<number> {
  let rows = 0
  for (const relation of relations) {
    const staged = await stage(target, relation)
    const columns = list(relation.columns)
    await stream(source, `select ${columns} from ${tableOf(source, relation)}`, target, `${staged} (${columns})`)
    rows += (await target.sql.unsafe(insertFrom(target, relation, staged))).count
  }
  return rows
}

/** Takes every row of the tenant away, those that refer first. @returns rows per table */
export async function deleteAll(end: End, relations: readonly Relation[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const relation of [...relations].reverse()) {
    counts[relation.name] = (await end.sql.unsafe(`delete from ${tableOf(end, relation)}`)).count
  }
  return counts
}

/**
 * Brings the target to what the source's transaction sees, by the keys noted since the last time, and takes those notes away.
 * What a key's row is now is all that matters, not how it became so: doing it twice, or in another order, does no harm.
 *
 * A table that no other refers to: its noted rows are deleted and inserted again, which also gets through unique values that
 * have wandered between rows. A table that others refer to: noted rows are inserted or updated, referred before referring, and those
 * that are no more are deleted at the end, when nothing refers to them any longer.
 *
 * @param free whether the target's transaction checks no references (session_replication_role): then all are of the first kind
 * @returns how many keys; verified: the noted rows are the same at both ends
 */
export async function replay(source: End, target: End, relations: readonly Relation[], free: boolean): Promise<number> {
  await source.sql.unsafe('create temp table if not exists tenancy_noted (relation text, key jsonb) on commit drop')
  const { count } = await source.sql`
    with gone as (delete from ${source.sql(MOVES)}.changes where place = ${placeOf(source)} returning relation, key)
    insert into pg_temp.tenancy_noted select distinct relation, key from gone`
  if (count === 0) return 0
  await target.sql.unsafe('create temp table if not exists tenancy_noted (relation text, key jsonb) on commit drop')
  await stream(source, 'select relation, key from pg_temp.tenancy_noted', target, 'pg_temp.tenancy_noted')

  const touched = new Set(
    (await source.sql<{ relation: string }[]>`select distinct relation from pg_temp.tenancy_noted`).map(
      ({ relation }) => relation,
    ),
  )
  const noted = relations.filter(({ name }) => touched.has(name))
  const referred = new Set(free ? [] : relations.flatMap(({ refersTo }) => refersTo))
  const keysOf = (end: End, { name, key }: Relation) =>
    `select ${list(key, 'k.')} from pg_temp.tenancy_noted n, jsonb_populate_record(null::${tableOf(end, { name } as Relation)}, n.key) k where n.relation = '${name.replaceAll("'", "''")}'`
  const match = (end: End, relation: Relation) => `(${list(relation.key)}) in (${keysOf(end, relation)})`
  const staged = new Map<Relation, string>()
  for (const relation of noted) {
    const name = await stage(target, relation)
    staged.set(relation, name)
    const columns = list(relation.columns)
    const query = `select ${columns} from ${tableOf(source, relation)} where ${match(source, relation)}`
    await stream(source, query, target, `${name} (${columns})`)
  }
  await target.sql.unsafe('set constraints all deferred')
  const leaves = noted.filter(({ name }) => !referred.has(name))
  const parents = noted.filter(({ name }) => referred.has(name))
  for (const relation of leaves)
    await target.sql.unsafe(`delete from ${tableOf(target, relation)} where ${match(target, relation)}`)
  for (const relation of parents) {
    const others = relation.columns.filter((column) => !relation.key.includes(column))
    const update = others.map((column) => `${quoted(column)} = excluded.${quoted(column)}`).join(', ')
    await target.sql.unsafe(`${insertFrom(target, relation, staged.get(relation)!)}
      on conflict (${list(relation.key)}) do ${others.length > 0 ? `update set ${update}` : 'nothing'}`)
  }
  for (const relation of [...parents].reverse()) {
    await target.sql.unsafe(`delete from ${tableOf(target, relation)}
      where ${match(target, relation)} and (${list(relation.key)}) not in (select ${list(relation.key)} from ${staged.get(relation)})`)
  }
  for (const relation of leaves) await target.sql.unsafe(insertFrom(target, relation, staged.get(relation)!))
  // References that were put off are checked here, and not at COMMIT, when it is too late to say which.
  await target.sql.unsafe('set constraints all immediate')
  await compare(source, target, noted, match)
  await target.sql.unsafe('truncate pg_temp.tenancy_noted')
  return count
}

export interface TableSum {
  table: string
  rows: number
  checksum: string
}

/** Count and checksum of a table's rows, whatever their order: the sum of 64 bits of each row's MD5. */
async function sumOf(end: End, relation: Relation, where = ''): Promise<TableSum> {
  const [row] = await end.sql.unsafe<{ rows: string; checksum: string }[]>(`
    select count(*)::text as rows,
      coalesce(sum(('x' || left(md5(row(${list(relation.columns)})::text), 16))::bit(64)::bigint), 0)::text as checksum
    from ${tableOf(end, relation)}${where && ` where ${where}`}`)
  return { table: relation.name, rows: Number(row!.rows), checksum: row!.checksum }
}

export async function sumsOf(end: End, relations: readonly Relation[]): Promise<TableSum[]> {
  const sums: TableSum[] = []
  for (const relation of relations) sums.push(await sumOf(end, relation))
  return sums
}

/** @throws Error naming the table whose rows are not the same at both ends */
export async function compare(
  source: End,
  target: End,
  relations: readonly Relation[],
  where?: (end: End, relation: Relation) => string,
): Promise<TableSum[]> {
  const sums: TableSum[] = []
  for (const relation of relations) {
    const [there, here] = await Promise.all([
      sumOf(source, relation, where?.(source, relation)),
      sumOf(target, relation, where?.(target, relation)),
    ])
    if (there.rows !== here.rows || there.checksum !== here.checksum) {
      throw new Error(
        `The copy of ${relation.name} is not what it was: ${there.rows} rows (${there.checksum}) became ${here.rows} (${here.checksum}). The tenant stays where it was. Does a trigger of the target change rows?`,
      )
    }
    sums.push(here)
  }
  return sums
}

/** The next number a sequence gives is beyond those which came along. `alone` when nobody else draws from the target's. */
export async function advanceSequences(
  source: End,
  target: End,
  relations: readonly Relation[],
  targets: readonly Relation[],
  alone: boolean,
): Promise<void> {
  for (const relation of relations) {
    for (const { column, sequence } of relation.sequences) {
      const other = targets.find(({ name }) => name === relation.name)?.sequences.find((one) => one.column === column)
      if (!other) continue
      const [from] = await source.sql.unsafe<{ value: string }[]>(
        `select last_value::text as value from ${sequence} where is_called`,
      )
      const [to] = await target.sql.unsafe<{ value: string }[]>(
        `select case when is_called then last_value else 0 end::text as value from ${other.sequence}`,
      )
      const gap = BigInt(from?.value ?? '0') - BigInt(to?.value ?? '0')
      if (gap <= 0n) continue
      // Others draw from the pool's at the same time; setting it could set it back.
      if (alone) await target.sql`select setval(${other.sequence}::regclass, ${from!.value}::bigint)`
      else
        await target.sql`select count(nextval(${other.sequence}::regclass)) from generate_series(1, ${gap.toString()}::bigint)`
    }
  }
}
