import { part } from './part.ts'

/** Code that runs with somebody else's rights, or that the planner trusts with rows before the policies have been asked. */
export const functions = part({
  problems: {
    definer_bypasses: {
      severity: 'leak',
      why: 'The function runs as {detail}, whom no policy binds, whoever calls it.',
    },
    definer_search_path: {
      severity: 'leak',
      why: 'The function runs as {detail} and looks names up in its caller’s search_path: a temporary table of the same name is taken for the real one.',
    },
    definer_for_everybody: {
      severity: 'risk',
      why: 'Every role of the server may run the function, as {detail}.',
    },
    leakproof: {
      severity: 'leak',
      why: 'The function says of itself that it tells nothing of its arguments, so it is given rows of other tenants before policies sort them out.',
    },
    trigger_of_another: {
      severity: 'risk',
      why: 'It is handed every row that is written to {detail}, and its owner is not the table’s and may change what it does.',
    },
  },
  tables: `routine as (
    select p.oid, p.proowner, p.prosecdef, p.proleakproof, p.proconfig, p.proacl, p.prorettype, n.nspname,
      format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name, o.rolname as owner,
      o.rolsuper or o.rolbypassrls as unbound
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
    where n.nspname not in ('pg_catalog', 'information_schema') and p.prokind <> 'a'
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  ), fired as (
    select t.tgfoid, r.name, r.relowner from relation r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal and t.tgenabled <> 'D'
  ), reachable as (
    select r.* from routine r, given
    where exists (select from fired f where f.tgfoid = r.oid)
      or exists (select from place p where p.nspname = r.nspname) and has_function_privilege(role, r.oid, 'execute')
  )`,
  sql: `
    select 'function' as kind, name as object, 'definer_bypasses' as problem, quote_ident(owner) as detail,
      format('alter routine %s security invoker;', name) as remedy, null as facts
      from reachable where prosecdef and unbound
    union all select 'function', name, 'definer_search_path', quote_ident(owner),
      format('alter routine %s set search_path = pg_catalog, %I, pg_temp;', name, nspname), null
      from reachable where prosecdef and not exists (select from unnest(proconfig) c where starts_with(c, 'search_path='))
    union all select 'function', name, 'definer_for_everybody', quote_ident(owner),
      format(E'revoke execute on routine %s from public;\\ngrant execute on routine %s to %I;', name, name, role), null
      from reachable, given where prosecdef and prorettype <> 'trigger'::regtype
        and exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0)
    union all select 'function', name, 'leakproof', null, format('alter routine %s not leakproof;', name), null
      from reachable where proleakproof
    union all select distinct 'function', r.name, 'trigger_of_another', f.name,
      format('alter routine %s owner to %I;', r.name, pg_get_userbyid(f.relowner)), null
      from reachable r join fired f on f.tgfoid = r.oid where r.proowner <> f.relowner and not unbound`,
})
