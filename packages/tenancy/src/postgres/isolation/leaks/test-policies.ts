/** Policies that are missing, or let more through than the tenant’s rows. */
import { FORBIDDEN, type Leak, rowOfA, seesA, TENANT, t } from './test-leak.ts'

export const POLICIES: readonly Leak[] = [
  {
    problem: 'no_policy',
    title: 'a table without a policy',
    object: 't',
    provoke: `${t} drop policy tenant on t;`,
    probe: { statement: `insert into t values ('B', '1')`, before: FORBIDDEN, after: 1 },
  },
  {
    problem: 'no_policy',
    title: 'a table whose policy is another role’s',
    object: 't',
    provoke: `${t} alter policy tenant on t to current_user;`,
    probe: { statement: `insert into t values ('B', '1')`, before: FORBIDDEN, after: 1 },
  },
  {
    problem: 'policy_without_with_check',
    title: 'a policy that does not say what may be written',
    object: 't',
    provoke: `${t} drop policy tenant on t; create policy tenant on t using (${TENANT});`,
  },
  {
    problem: 'policy_without_using',
    title: 'a policy that does not say what may be read',
    object: 't',
    provoke: `${t} create policy writing on t with check (${TENANT});`,
  },
  {
    problem: 'policy_without_tenant',
    title: 'a permissive policy that lets everything be read',
    object: 't',
    provoke: `${t} create policy "for ""all""" on t for select using (true);`,
    administrator: rowOfA,
    probe: seesA('t'),
  },
  {
    problem: 'policy_without_tenant',
    title: 'a policy that names the setting, and lets more through',
    object: 't',
    provoke: `${t} alter policy tenant on t using (${TENANT} or current_setting('app.support', true) is null);`,
    administrator: rowOfA,
    probe: seesA('t'),
  },
  {
    problem: 'policy_without_tenant',
    title: 'a policy that compares another column',
    object: 't',
    provoke: `${t} create policy own on t for insert with check (id = nullif(current_setting('app.tenant_id', true), ''));`,
    probe: { statement: `insert into t values ('A', 'B')`, before: 1, after: FORBIDDEN },
  },
]
