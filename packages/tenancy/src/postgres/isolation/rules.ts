import { part } from './part.ts'

/** Rules that rewrite a statement: what they read and write, they do as the owner of the relation that they stand on. */
export const rules = part({
  problems: {
    rule_bypasses: {
      severity: 'leak',
      why: 'A rule on it touches tenants’ rows as {detail}, whom no policy binds, whoever wrote the statement. A trigger runs as the caller.',
    },
  },
  sql: `
    select case c.relkind when 'v' then 'view' else 'table' end as kind, format('%I.%I', n.nspname, c.relname) as object,
      'rule_bypasses' as problem, quote_ident(o.rolname) as detail,
      format('drop rule %I on %I.%I;', r.rulename, n.nspname, c.relname) as remedy, null as facts
      from pg_rewrite r
      join pg_class c on c.oid = r.ev_class
      join place n on n.oid = c.relnamespace
      join pg_roles o on o.oid = c.relowner and (o.rolsuper or o.rolbypassrls)
      -- '1' is the rule that a view is.
      where r.ev_type <> '1' and r.ev_enabled <> 'D' and exists (
        select from pg_depend d
        where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
          and d.refobjid <> c.oid and d.refobjid in (select oid from relation))`,
})
