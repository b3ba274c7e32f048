import { part } from './part.ts'

/** What shows tenants' rows without being a table: views, materialized views, foreign tables. */
export const views = part({
  problems: {
    view_runs_as_owner: {
      severity: 'leak',
      why: 'The view reads as its owner, and so by the policies for that role and not by the caller’s.',
    },
    cannot_be_protected: {
      severity: 'leak',
      why: 'Row-level security does not exist for this kind of relation, and {detail} may read all of it.',
    },
  },
  sql: `
    select kind, name as object, 'view_runs_as_owner' as problem, null as detail,
      format('alter view %s set (security_invoker = true);', name) as remedy, null as facts
      from relation where relkind = 'v' and not exists (
        select from pg_options_to_table(reloptions) o where o.option_name = 'security_invoker' and o.option_value::boolean)
      -- What it reads by way of another view, that view reads in its own way.
      and exists (
        select from pg_rewrite r
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        join pg_class c on c.oid = d.refobjid and c.relkind <> 'v'
        where r.ev_class = relation.oid and c.oid in (select oid from shown union select oid from relation))
    union all select kind, name, 'cannot_be_protected', string_agg(distinct holder, ', '),
      format('revoke all on %s from %s;', name, string_agg(distinct holder, ', ')), null
      from held where relkind in ('m', 'f') group by kind, name`,
})
