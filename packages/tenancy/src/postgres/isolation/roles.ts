import { part } from './part.ts'

/**
 * What the role is and what it may become: RESET ROLE and SET ROLE are one injected statement away, so the role of the session
 * and the current one are looked at, and every role that they belong to.
 */
export const roles = part({
  problems: {
    superuser: { severity: 'leak', why: '{detail}: no policy binds it.' },
    bypasses_policies: { severity: 'leak', why: '{detail}: no policy binds it.' },
    creates_roles: { severity: 'leak', why: '{detail}: it may make itself a member of the tables’ owner.' },
    replicates: { severity: 'leak', why: '{detail}: replication hands out every row.' },
    reaches_the_server: { severity: 'leak', why: '{detail}: the files of the server hold every row.' },
    owner: {
      severity: 'leak',
      why: '{detail}: its owner may end row-level security.',
    },
    tenant_preset: {
      severity: 'risk',
      why: 'Its sessions begin as tenant {detail}, so what forgets to say for whom it works sees that tenant’s rows.',
    },
    creates_in_schema: {
      severity: 'risk',
      why: 'Here {detail} may put tables, functions and operators that others’ statements then take for their own.',
    },
  },
  tables: `subject as (
    select r.oid, r.rolname, r.rolsuper from given, pg_roles r
    where r.rolname in (select unnest(case when role_named then array[role] else array[session_user, current_user] end))
  ), reach as (
    -- A superuser is a member of everything; that it is one says enough.
    select s.oid as subject, s.rolname as name, r.*,
      case when r.oid = s.oid then 'It ' when r.rolname = 'pg_database_owner' then 'As owner of the database it ' else format('It may become %I, which ', r.rolname) end as who,
      (select string_agg(format('revoke %I from %I;', h.rolname, s.rolname), E'\\n') from pg_auth_members m join pg_roles h on h.oid = m.roleid
        where m.member = s.oid and pg_has_role(h.oid, r.oid, 'member')) as leave
    from subject s join pg_roles r on r.oid = s.oid or (not s.rolsuper and pg_has_role(s.oid, r.oid, 'member'))
  ), owned as (
    select reach.*, format('%I.%I', n.nspname, c.relname) as object, format('alter table %I.%I', n.nspname, c.relname) as change,
      format('grant select, insert, update, delete on %I.%I', n.nspname, c.relname) as use
    from reach join given on true
    join pg_class c on c.relowner = reach.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
    join pg_attribute a on a.attrelid = c.oid and a.attname = tenant_column and not a.attisdropped
    join pg_namespace n on n.oid = c.relnamespace
    where not reach.rolsuper and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and (schemas is null or n.nspname in (select jsonb_array_elements_text(schemas)))
    union
    select reach.*, format('schema %I', p.nspname), format('alter schema %I', p.nspname), format('grant usage on schema %I', p.nspname)
    from reach join place p on p.nspowner = reach.oid
    where not reach.rolsuper and exists (select from relation r where r.nspname = p.nspname)
  ), heir as (
    select s.oid as subject, case when pg_has_role(s.oid, d.datdba, 'member') then format('%s_owner', s.rolname) else pg_get_userbyid(d.datdba) end as name,
      pg_has_role(s.oid, d.datdba, 'member') as made
    from subject s, pg_database d where d.datname = current_database()
  )`,
  sql: `
    select 'role' as kind, quote_ident(name) as object, problem, who || what as detail,
      case when subject = oid then format('alter role %I %s;', name, attribute) else leave end as remedy, null as facts
      from reach cross join lateral (values
        ('superuser', rolsuper, 'is a superuser', 'nosuperuser'),
        ('bypasses_policies', rolbypassrls and not rolsuper, 'has BYPASSRLS', 'nobypassrls'),
        ('creates_roles', rolcreaterole and not rolsuper, 'has CREATEROLE', 'nocreaterole'),
        ('replicates', rolreplication and not rolsuper, 'has REPLICATION', 'noreplication'),
        ('reaches_the_server', rolname in ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'),
          'reads and writes on the server', null)) p (problem, holds, what, attribute)
      where holds
    union all select 'role', quote_ident(o.name), 'owner', o.who || 'owns ' || o.object, coalesce(case when o.subject <> o.oid then o.leave end,
        E'-- Or let the application connect as another role, which owns nothing.\\n'
        || case when h.made then format(E'do $$ begin create role %I; exception when duplicate_object then null; end $$;\\n', h.name) else '' end
        || format(E'%s owner to %I;\\n%s to %I;', o.change, h.name, o.use, o.name)), null
      from owned o join heir h on h.subject = o.subject
    union all select 'role', quote_ident(s.rolname), 'tenant_preset', substr(c, strpos(c, '=') + 1),
      'alter ' || case when g.setrole <> 0 then format('role %I', s.rolname)
          when g.setdatabase <> 0 then format('database %I', current_database()) else 'role all' end
        || case when g.setrole <> 0 and g.setdatabase <> 0 then format(' in database %I', current_database()) else '' end
        || ' reset ' || (select string_agg(quote_ident(w), '.') from unnest(string_to_array(setting, '.')) w) || ';', null
      from subject s join given on true
      join pg_db_role_setting g on g.setrole in (0, s.oid) and g.setdatabase in (0, (select oid from pg_database where datname = current_database()))
      cross join lateral unnest(g.setconfig) c
      where starts_with(lower(c), lower(setting) || '=')
    union all select 'schema', quote_ident(p.nspname), 'creates_in_schema', string_agg(x.grantee, ', '),
      format('revoke create on schema %I from %s;', p.nspname, string_agg(x.grantee, ', ')), null
      from place p join given on true
      cross join lateral (
        select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee from aclexplode(p.nspacl) a
        where a.privilege_type = 'CREATE' and a.grantee <> p.nspowner
          and case when a.grantee = 0 then true else pg_has_role(role, a.grantee, 'member') end) x
      where exists (select from relation r where r.nspname = p.nspname)
      group by p.nspname`,
})
