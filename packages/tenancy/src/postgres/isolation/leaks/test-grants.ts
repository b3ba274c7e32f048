/** Privileges that no policy covers. */
import { FORBIDDEN, type Leak, t } from './test-leak.ts'

export const GRANTS: readonly Leak[] = [
  {
    problem: 'truncate_granted',
    title: 'TRUNCATE',
    object: 't',
    provoke: `${t} grant truncate on t to @;`,
    probe: { statement: 'truncate t', before: 0, after: FORBIDDEN },
  },
  {
    problem: 'references_granted',
    title: 'REFERENCES on a column, to everybody of a group',
    object: 't',
    provoke: `${t} grant references (id) on t to @;`,
  },
  { problem: 'trigger_granted', title: 'TRIGGER', object: 't', provoke: `${t} grant trigger on t to @;` },
  {
    problem: 'granted_to_public',
    title: 'a grant to PUBLIC',
    object: 't',
    provoke: `${t} revoke all on t from @; grant select, insert on t to public;`,
    probe: { statement: `insert into t values ('B', '1')`, before: 1, after: 1 },
  },
  {
    problem: 'default_privileges',
    title: 'default privileges of tables yet to come',
    object: 'kit_owner in @schema',
    anywhere: true,
    provoke: `${t} alter default privileges in schema "@schema" grant all on tables to @;`,
  },
  {
    problem: 'creates_in_schema',
    title: 'a role that may create things beside the tables',
    object: '@schema',
    anywhere: true,
    provoke: `${t} grant create on schema "@schema" to @;`,
    probe: { statement: 'create table planted (id text)', before: 0, after: FORBIDDEN },
  },
]
