/** Functions and triggers that see more than their caller. */
import { type Leak, rowOfA, t } from './test-leak.ts'

const noted = (options: string) =>
  `create function noted() returns trigger language plpgsql ${options} as $$ begin return new; end $$;`

export const FUNCTIONS: readonly Leak[] = [
  {
    problem: 'definer_bypasses',
    title: 'a function that runs as a superuser',
    object: 'total("o f" text)',
    provoke: t,
    administrator: `${rowOfA} create function total("o f" text) returns setof text language sql security definer set search_path from current as 'select id from t';
      revoke execute on function total from public; grant execute on function total to @;`,
    mendedBy: 'administrator',
    probe: { statement: `select total('')`, before: 1, after: 0 },
  },
  {
    problem: 'definer_search_path',
    title: 'a function of the owner’s that looks names up where its caller says',
    object: 'total()',
    provoke: `${t} create function total() returns bigint language sql security definer as 'select 1::bigint';
      revoke execute on function total from public; grant execute on function total to @;`,
  },
  {
    problem: 'definer_search_path',
    title: 'a trigger that looks names up where the writer says',
    object: 'noted()',
    provoke: `${t} ${noted('security definer')} revoke execute on function noted from public; create trigger noted before insert on t for each row execute function noted();`,
  },
  {
    problem: 'definer_for_everybody',
    title: 'a function that everybody may run as its owner',
    object: 'total()',
    provoke: `${t} create function total() returns bigint language sql security definer set search_path = pg_catalog, pg_temp as 'select 1::bigint';`,
    probe: { statement: 'select total()', before: 1, after: 1 },
  },
  {
    problem: 'leakproof',
    title: 'a function that calls itself leakproof, and tells what it is given',
    object: 'told(text)',
    provoke: t,
    administrator: `${rowOfA} create function told(text) returns boolean language plpgsql cost 0.0001 leakproof as $$ begin raise exception using errcode = 'TOLD0', message = $1; end $$;`,
    mendedBy: 'administrator',
    probe: { statement: 'select from t where told(id)', before: 'TOLD0', after: 0 },
  },
  {
    problem: 'trigger_of_another',
    title: 'a trigger whose function is somebody else’s',
    object: 'noted()',
    provoke: `${t} ${noted('')} create trigger noted before insert on t for each row execute function noted();`,
    administrator: 'create role somebody_else; alter function noted() owner to somebody_else;',
    mendedBy: 'administrator',
    remove: 'drop role somebody_else',
  },
]
