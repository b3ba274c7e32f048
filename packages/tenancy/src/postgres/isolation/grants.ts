import { part } from './part.ts'

/** Privileges that no policy covers, those of everybody, and those that tables yet to come will have. */
export const grants = part({
  problems: {
    truncate_granted: {
      severity: 'leak',
      why: 'TRUNCATE asks no policy: {detail} may delete every tenant’s rows.',
    },
    references_granted: {
      severity: 'leak',
      why: 'REFERENCES asks no policy: by a foreign key of its own {detail} learns which keys other tenants have.',
    },
    trigger_granted: {
      severity: 'leak',
      why: 'TRIGGER lets {detail} put code on the table that is handed the rows of every tenant.',
    },
    granted_to_public: {
      severity: 'risk',
      why: 'Every role of the server has {detail} here, also one that no policy binds or that is made tomorrow.',
    },
    default_privileges: {
      severity: 'risk',
      why: 'Tables that are made later will have {detail} for this role or for everybody, which no policy covers.',
    },
  },
  tables: `held as (
    -- What the owner has is a matter of who the owner is.
    select r.oid, r.kind, r.relkind, r.name, x.privilege_type,
      case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end as holder
    from relation r
    join given on true
    cross join lateral (
      select a.grantee, a.privilege_type from aclexplode(r.relacl) a
      union all
      select a.grantee, a.privilege_type from pg_attribute t, aclexplode(t.attacl) a where t.attrelid = r.oid and not t.attisdropped
    ) x
    where x.grantee <> r.relowner and case when x.grantee = 0 then true else pg_has_role(role, x.grantee, 'member') end
  )`,
  sql: `
    select kind, name as object, lower(privilege_type) || '_granted' as problem, string_agg(distinct holder, ', ') as detail,
      format('revoke %s on %s from %s;', lower(privilege_type), name, string_agg(distinct holder, ', ')) as remedy, null as facts
      from held where relkind in ('r', 'p') and privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') group by kind, name, privilege_type
    union all select kind, name, 'granted_to_public', lower(string_agg(distinct privilege_type, ', ')),
      format('revoke all on %s from public;', name) || coalesce(format(E'\\ngrant %s on %s to %I;', lower(string_agg(distinct privilege_type, ', ')
        filter (where privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))), name, max(role)), ''), null
      from held, given where holder = 'public' and relkind not in ('m', 'f') group by kind, name
    union all select 'default privileges', format('%I%s', pg_get_userbyid(d.defaclrole), coalesce(format(' in %I', n.nspname), '')), 'default_privileges',
      lower(string_agg(distinct x.privilege_type, ', ')),
      string_agg(distinct format('alter default privileges for role %I%s revoke %s on tables from %s;', pg_get_userbyid(d.defaclrole),
        coalesce(format(' in schema %I', n.nspname), ''), lower(x.privilege_type),
        case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end), E'\\n'), null
      from pg_default_acl d left join place n on n.oid = d.defaclnamespace
      join given on true cross join lateral aclexplode(d.defaclacl) x
      where d.defaclobjtype = 'r' and (d.defaclnamespace = 0 or n.oid is not null) and x.grantee <> d.defaclrole
        and case when x.grantee = 0 then true
                 else x.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') and pg_has_role(role, x.grantee, 'member') end
      group by d.defaclrole, n.nspname`,
})
