/** Rules that work as the owner of their table. */
import { type Leak, t } from './test-leak.ts'

export const RULES: readonly Leak[] = [
  {
    problem: 'rule_bypasses',
    title: 'a rule of a table that a superuser owns',
    object: 'inbox',
    provoke: t,
    administrator: `insert into t values ('A', '1'), ('A', '2'); create table inbox (id text); create table sent (id text);
      create rule forward as on insert to inbox do instead insert into sent select id from t; grant insert on inbox to @;`,
    mendedBy: 'administrator',
    probe: { statement: `insert into inbox values ('1')`, before: 2, after: 1 },
  },
]
