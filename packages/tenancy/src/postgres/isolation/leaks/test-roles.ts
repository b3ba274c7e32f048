/** Roles that no policy binds, or that may become one. */
import { FORBIDDEN, type Leak, rowOfA, seesA, t } from './test-leak.ts'

const role = { object: '@', anywhere: true, mendedBy: 'administrator' } as const

export const ROLES: readonly Leak[] = [
  {
    ...role,
    problem: 'superuser',
    title: 'a superuser',
    provoke: t,
    administrator: `${rowOfA} alter role @ superuser;`,
    probe: seesA('t'),
  },
  {
    ...role,
    problem: 'bypasses_policies',
    title: 'a role with BYPASSRLS',
    provoke: t,
    administrator: `${rowOfA} alter role @ bypassrls;`,
    probe: seesA('t'),
  },
  {
    ...role,
    problem: 'bypasses_policies',
    provoke: t,
    title: 'a role that may become one with BYPASSRLS, by way of a third',
    administrator:
      'create role "@schema_far" bypassrls; create role "@schema_near"; grant "@schema_far" to "@schema_near"; grant "@schema_near" to @;',
    remove: 'drop role "@schema_far"; drop role "@schema_near"',
  },
  {
    ...role,
    problem: 'creates_roles',
    title: 'a role with CREATEROLE',
    provoke: t,
    administrator: 'alter role @ createrole;',
  },
  {
    ...role,
    problem: 'replicates',
    title: 'a role with REPLICATION',
    provoke: t,
    administrator: 'alter role @ replication;',
  },
  {
    ...role,
    problem: 'reaches_the_server',
    title: 'a role that reads the server’s files',
    provoke: t,
    administrator: 'grant pg_read_server_files to @;',
  },
  {
    ...role,
    problem: 'owner',
    title: 'a role that owns a table',
    provoke: t,
    administrator: `${rowOfA} alter table t owner to @;`,
    probe: { statement: 'alter table t disable row level security', before: 0, after: FORBIDDEN },
  },
  {
    ...role,
    problem: 'owner',
    title: 'a role that owns the schema',
    provoke: t,
    administrator: 'alter schema "@schema" owner to @;',
  },
  {
    ...role,
    problem: 'tenant_preset',
    title: 'a role whose sessions begin as some tenant',
    provoke: t,
    administrator: `alter role @ set app.tenant_id = 'A';`,
  },
]
