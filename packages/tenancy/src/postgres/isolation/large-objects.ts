import { part } from './part.ts'

/** Large objects belong to a role and to no row: a tenant’s table holds their number, which another tenant may guess. */
export const largeObjects = part({
  problems: {
    large_objects: {
      severity: 'leak',
      why: 'The role may read {detail} large objects by their numbers, whichever tenant’s they are: no policy covers them. A column of type bytea belongs to its row.',
    },
  },
  tables: `large (number) as (
    select l.oid from given, pg_roles s, pg_largeobject_metadata l
    where s.rolname = role and not s.rolsuper and (pg_has_role(s.oid, l.lomowner, 'member') or exists (
      select from aclexplode(l.lomacl) a where case when a.grantee = 0 then true else pg_has_role(s.oid, a.grantee, 'member') end))
  )`,
  sql: `
    select 'large objects' as kind, format('large objects of %I', role) as object, 'large_objects' as problem, count(*)::text as detail,
      -- Nothing is deleted: whoever runs this has them afterwards, to put what is in them where it belongs.
      E'-- Then put what is in them into a column of type bytea: update … set content = lo_get(number).\n'
      || format(E'do $$ declare l record; begin\n  for l in select m.oid, x.grantee from pg_largeobject_metadata m left join lateral aclexplode(m.lomacl) x on x.grantee <> m.lomowner\n'
        || E'    where pg_has_role(%1$L, m.lomowner, ''member'') or case when x.grantee = 0 then true else pg_has_role(%1$L, x.grantee, ''member'') end\n  loop\n'
        || E'    execute format(''alter large object %%s owner to current_user'', l.oid);\n'
        || E'    execute format(''revoke all on large object %%s from %%s'', l.oid, case when l.grantee = 0 then ''public'' when l.grantee is null then quote_ident(%1$L) else quote_ident(pg_get_userbyid(l.grantee)) end);\n'
        || E'  end loop;\nend $$;', role) as remedy, null as facts
      from given, large group by role`,
})
