/** All rows of one tenant, from one schema to another, perhaps of another server; counted, compared and deleted. */
import { pipeline } from 'node:stream/promises'
import { literal } from '../postgres/quoted.ts'
import { type End, list, tableOf, tell } from './end.ts'
import type { Relation } from './relations.ts'

export async function stream(source: End, query: string, target: End, into: string): Promise<void> {
  const [from, to] = await Promise.allSettled([
    source.sql.unsafe(`copy (${query}) to stdout`).readable(),
    target.sql.unsafe(`copy ${into} from stdin`).writable(),
  ])
  if (from.status === 'fulfilled' && to.status === 'fulfilled') return pipeline(from.value, gathered, to.value)
  // Nothing else can be said on a connection that waits for a copy.
  for (const end of [from, to]) if (end.status === 'fulfilled') end.value.destroy()
  throw [from, to].find((end) => end.status === 'rejected')!.reason
}

/** The driver gives a row at a time; written so, each would be a packet of its own. */
async function* gathered(rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let [parts, bytes]: [Buffer[], number] = [[], 0]
  for await (const row of rows) {
    parts.push(row)
    bytes += row.length
    if (bytes < 65_536) continue
    yield Buffer.concat(parts)
    ;[parts, bytes] = [[], 0]
  }
  yield Buffer.concat(parts)
}

/** Everything, as the source's transaction sees it, into tables that hold nothing of this tenant. */
export async function copyAll(source: End, target: End, relations: readonly Relation[]): Promise<void> {
  for (const relation of relations) {
    // A table like this one without its rules: COPY cannot write into tables with row-level security.
    const staged = `pg_temp.${list([relation.name])}`
    await tell(target, `create temp table ${list([relation.name])} (like ${tableOf(target, relation)}) on commit drop`)
    const columns = list(relation.columns)
    await stream(source, `select ${columns} from ${tableOf(source, relation)}`, target, `${staged} (${columns})`)
    await tell(
      target,
      `insert into ${tableOf(target, relation)} (${columns}) overriding system value select ${columns} from ${staged}`,
      `drop table ${staged}`,
    )
  }
}

/** Takes every row of the tenant away, those that refer first. @returns rows per table */
export async function deleteAll(end: End, relations: readonly Relation[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const relation of [...relations].reverse()) {
    counts[relation.name] = (await end.sql.unsafe(`delete from ${tableOf(end, relation)}`)).count
  }
  return counts
}

export interface TableSum {
  table: string
  rows: number
  checksum: string
}

/** Count and checksum of a table's rows, whatever their order: the sum of 64 bits of each row's MD5. */
async function sumOf(end: End, relation: Relation): Promise<TableSum> {
  const [row] = await tell<{ rows: string; checksum: string }>(
    end,
    `select count(*)::text as rows,
      coalesce(sum(('x' || left(md5(row(${list(relation.columns)})::text), 16))::bit(64)::bigint), 0)::text as checksum
    from ${tableOf(end, relation)}`,
  )
  return { table: relation.name, rows: Number(row!.rows), checksum: row!.checksum }
}

export async function sumsOf(end: End, relations: readonly Relation[]): Promise<TableSum[]> {
  const sums: TableSum[] = []
  for (const relation of relations) sums.push(await sumOf(end, relation))
  return sums
}

/** What is to be done about it is known to whoever reads: the copy was changed on its way into the table. */
export const notWhatItWas = (relation: Pick<Relation, 'name'>, how: string): string =>
  `The copy of ${relation.name} is not what it was: ${how}. The tenant stays where it was. Does a trigger of the target change rows?`

/** @throws Error naming the table whose rows are not the same at both ends */
export async function compare(source: End, target: End, relations: readonly Relation[]): Promise<TableSum[]> {
  const sums: TableSum[] = []
  for (const relation of relations) {
    const [there, here] = await Promise.all([sumOf(source, relation), sumOf(target, relation)])
    if (there.rows !== here.rows || there.checksum !== here.checksum) {
      const how = `${there.rows} rows (${there.checksum}) became ${here.rows} (${here.checksum})`
      throw new Error(notWhatItWas(relation, how))
    }
    sums.push(here)
  }
  return sums
}

/** Numbers that sequences have given, as text: they may be beyond what JavaScript counts exactly. */
export type Given = { relation: string; column: string; value: string }[]

/** An expression: what the sequences of these tables gave last, as `Given`. */
export function givenBy(relations: readonly Relation[]): string {
  const values = relations.flatMap(({ name, sequences }) =>
    sequences.map(
      ({ column, sequence }) =>
        `select ${literal(name)} as relation, ${literal(column)} as "column", last_value::text as value from ${sequence} where is_called`,
    ),
  )
  return values.length === 0
    ? `'[]'::json`
    : `(select coalesce(json_agg(given), '[]') from (${values.join(' union all ')}) given)`
}

/**
 * Statements, after which the next number that a sequence gives is beyond those which came along.
 * @param alone whether nobody else draws from these; from the pool's others do at the same time, and setting it could set it back
 */
export const advancing = (targets: readonly Relation[], given: Given, alone: boolean): string[] =>
  given.flatMap(({ relation, column, value }) => {
    const own = targets.find(({ name }) => name === relation)?.sequences.find((one) => one.column === column)
    if (!own) return []
    const last = `(select case when is_called then last_value else 0 end from ${own.sequence})`
    const sequence = `${literal(own.sequence)}::regclass`
    return alone
      ? [`select setval(${sequence}, ${literal(value)}::bigint) where ${last} < ${literal(value)}::bigint`]
      : [`select count(nextval(${sequence})) from generate_series(1, ${literal(value)}::bigint - ${last})`]
  })
