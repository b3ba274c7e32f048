/**
 * What was written while a copy was made. `makeMovable`'s triggers note the keys; what a key's row is now is all that matters,
 * not how it became so: doing it twice, or in another order, does no harm.
 *
 * Rows travel as the text of a record, which PostgreSQL reads back as what it was, all tables' in one stream, and the target
 * applies and verifies them in one message: while the gate is closed, each round trip is a time in which nobody can write.
 */
import { literal, quoted } from '../postgres/quoted.ts'
import { type Given, givenBy, notWhatItWas, stream } from './copying.ts'
import { type End, list, placeOf, tableOf, tell } from './end.ts'
import { MOVES } from './movable.ts'
import type { Relation } from './relations.ts'
import type { Session } from './session.ts'

export interface Noted {
  /** How many keys, by table. */
  keys: Record<string, number>
  given: Given
}

/** Once on each connection. */
export const prepareSource = (source: End) =>
  tell(source, 'create temp table tenancy_noted (relation text, key jsonb) on commit delete rows')
export const prepareTarget = (target: End) =>
  tell(target, 'create temp table tenancy_rows (relation text, key jsonb, record text) on commit delete rows')

/** Takes the notes that the source's transaction sees. @param first statements that go in front, in the same message */
export async function takeNotes(source: End, relations: readonly Relation[], ...first: string[]): Promise<Noted> {
  const [noted] = await tell<Noted>(
    source,
    ...first,
    `with gone as (delete from ${MOVES}.changes where place = ${literal(placeOf(source))} returning relation, key)
     insert into pg_temp.tenancy_noted select distinct relation, key from gone`,
    `select (select coalesce(json_object_agg(relation, count), '{}') from
       (select relation, count(*) from pg_temp.tenancy_noted group by relation) counted) as keys,
       ${givenBy(relations)} as given`,
  )
  return noted!
}

export const countOf = ({ keys }: Noted): number => Object.values(keys).reduce((sum, count) => sum + count, 0)

/**
 * Brings the target to what the source's transaction sees, by the keys noted there.
 *
 * A table that no other refers to: its noted rows are deleted and inserted again, which also gets through unique values that
 * have wandered between rows. A table that others refer to: noted rows are inserted or updated, referred before referring, and those
 * that are no more are deleted at the end, when nothing refers to them any longer.
 *
 * Where the target's transaction checks no references, all are of the first kind.
 *
 * @param last statements for the target that follow in the same message
 * @throws Error of PostgreSQL naming a table whose noted rows are not the same afterwards
 */
export async function replay(
  { source, target, relations, targets, free }: Session,
  noted: Noted,
  ...last: string[]
): Promise<void> {
  const touched = relations.filter(({ name }) => noted.keys[name])
  if (touched.length > 0) {
    const rows = touched.map((relation) => {
      const layout = targets.find(({ name }) => name === relation.name)!.layout
      return `select n.relation, n.key, ${recordOf(source, relation, layout)} from ${keysOf(relation, 'tenancy_noted')}`
    })
    await stream(source, rows.join(' union all '), target, 'pg_temp.tenancy_rows')
  }
  const referred = new Set(free ? [] : relations.flatMap(({ refersTo }) => refersTo))
  const there = targets.filter(({ name }) => noted.keys[name])
  const leaves = there.filter(({ name }) => !referred.has(name))
  const parents = there.filter(({ name }) => referred.has(name))
  const applying = [
    'set constraints all deferred',
    ...leaves.map((relation) => deletion(target, relation)),
    ...parents.map((relation) => insertion(target, relation, orUpdate(relation))),
    ...parents.toReversed().map((relation) => deletion(target, relation, 'and n.record is null')),
    ...leaves.map((relation) => insertion(target, relation)),
    // References that were put off are checked here, and not at COMMIT, when it is too late to say which.
    'set constraints all immediate',
    ...there.map((relation) => verification(target, relation)),
  ]
  await tell(target, ...(there.length > 0 ? applying : []), ...last)
}

/** Noted keys of one table, `k`, as what they are. */
const keysOf = ({ name, key, keyTypes }: Relation, of: 'tenancy_noted' | 'tenancy_rows'): string =>
  `(select * from pg_temp.${of} where relation = ${literal(name)}) n
   cross join lateral jsonb_to_record(n.key) k (${key.map((column, n) => `${quoted(column)} ${keyTypes[n]}`).join(', ')})`

const match = ({ key }: Relation): string =>
  key.map((column) => `t.${quoted(column)} = k.${quoted(column)}`).join(' and ')

/** The row of the key `k` as the text of a record with these columns; null where there is none. */
const recordOf = (end: End, relation: Relation, layout: readonly string[]): string =>
  `(select row(${list(layout, 't.')})::text from ${tableOf(end, relation)} t where ${match(relation)})`

const deletion = (target: End, relation: Relation, which = ''): string =>
  `delete from ${tableOf(target, relation)} t using ${keysOf(relation, 'tenancy_rows')} where ${match(relation)} ${which}`

/** OFFSET keeps the record from being read once for each column. */
const insertion = (target: End, relation: Relation, conflict = ''): string =>
  `insert into ${tableOf(target, relation)} (${list(relation.columns)}) overriding system value
   select ${relation.columns.map((column) => `(r.record).${quoted(column)}`).join(', ')}
   from (select n.record::${tableOf(target, relation)} as record from pg_temp.tenancy_rows n
     where n.relation = ${literal(relation.name)} and n.record is not null offset 0) r ${conflict}`

function orUpdate({ columns, key }: Relation): string {
  const others = columns.filter((column) => !key.includes(column))
  const update = others.map((column) => `${quoted(column)} = excluded.${quoted(column)}`).join(', ')
  return `on conflict (${list(key)}) do ${others.length > 0 ? `update set ${update}` : 'nothing'}`
}

const verification = (target: End, relation: Relation): string =>
  `do ${literal(`begin
     if exists (select from ${keysOf(relation, 'tenancy_rows')}
       where n.record is distinct from ${recordOf(target, relation, relation.layout)}) then
       raise exception using message = ${literal(notWhatItWas(relation, 'a row that was written meanwhile differs'))};
     end if;
   end`)}`
