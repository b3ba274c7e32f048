/** Views, materialized views and foreign tables that show rows of others. */
import { FORBIDDEN, type Leak, rowOfA, seesA, t } from './test-leak.ts'

export const VIEWS: readonly Leak[] = [
  {
    problem: 'view_runs_as_owner',
    title: 'a view that runs as its owner, and shows no tenant column',
    object: 'shown',
    provoke: t,
    administrator: `${rowOfA} create view shown as select id from t; grant select on shown to @;`,
    mendedBy: 'administrator',
    probe: seesA('shown'),
  },
  {
    problem: 'view_runs_as_owner',
    title: 'a view under another view',
    object: 'inner_view',
    provoke: t,
    administrator: `${rowOfA} create view inner_view as select id as name from t; create view outer_view as select name from inner_view; grant select on outer_view to @;`,
    mendedBy: 'administrator',
    probe: seesA('outer_view'),
  },
  {
    problem: 'cannot_be_protected',
    title: 'a materialized view',
    object: 'copied',
    provoke: t,
    administrator: `${rowOfA} create materialized view copied as select count(*), max(id) from t; grant select on copied to @, public;`,
    mendedBy: 'administrator',
    probe: { statement: 'select from copied', before: 1, after: FORBIDDEN },
  },
  {
    problem: 'cannot_be_protected',
    title: 'a foreign table',
    provoke: t,
    object: 'elsewhere',
    administrator: `create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere;
      create foreign table elsewhere (tenant_id text) server nowhere; grant select (tenant_id) on elsewhere to @;`,
    mendedBy: 'administrator',
    remove: 'drop foreign data wrapper nowhere cascade',
  },
]
