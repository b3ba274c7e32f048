/**
 * What PostgreSQL's own catalog says about isolation. Row-level security is only as good as the table that forgot it
 * and the role that may ignore it, and neither shows in a test that asks for its own rows.
 */
import type { Sql } from 'postgres'

export type TableProblem =
  | 'row_security_disabled'
  | 'row_security_not_forced'
  | 'no_policy'
  | 'policy_without_using'
  | 'policy_without_with_check'
  | 'policy_without_tenant'
  | 'key_without_tenant'
  | 'view_runs_as_owner'
  | 'cannot_be_protected'
  | 'truncate_granted'
  | 'references_granted'

export interface UnprotectedTable {
  table: string
  problems: TableProblem[]
}

export interface CatalogOptions {
  /** A relation with this column holds tenants' data. */
  tenantColumn?: string
  /** The setting that policies must compare with. */
  setting?: string
  /** Only these schemas; otherwise every one of the application's that the role may use. */
  schemas?: readonly string[]
  /** The role that serves requests; the connected one if left out. Policies for other roles are not its concern. */
  role?: string
}

/**
 * Lists every relation with a tenant column that does not keep tenants apart, with the reasons: no ENABLE, no FORCE (the
 * owner would pass), a policy without USING or WITH CHECK or that does not ask for the tenant, a unique key that is not
 * led by the tenant (its violation would tell what others have), a view that runs as its owner, a materialized view or
 * foreign table (no policies there), and grants that no policy covers. Run it in CI and let it fail by name.
 *
 * @example
 * assert.deepEqual(await findUnprotectedTables(sql), [])
 */
export async function findUnprotectedTables(sql: Sql, options: CatalogOptions = {}): Promise<UnprotectedTable[]> {
  const column = options.tenantColumn ?? 'tenant_id'
  const setting = `%current_setting('${(options.setting ?? 'app.tenant_id').replace(/[\\%_']/g, '\\$&')}'%`
  const role = options.role ?? (await currentRole(sql))
  return sql<UnprotectedTable[]>`
    with relation as (
      select c.oid, c.relkind, c.relrowsecurity, c.relforcerowsecurity, a.attnum,
             format('%I.%I', n.nspname, c.relname) as name,
             exists (select from pg_options_to_table(c.reloptions) o
                     where o.option_name = 'security_invoker' and o.option_value::boolean) as invoker
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = ${column} and not a.attisdropped
      where c.relkind in ('r', 'p', 'v', 'm', 'f')
        and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
        and ${options.schemas ? sql`n.nspname = any(${[...options.schemas]}::text[])` : sql`has_schema_privilege(${role}, n.oid, 'usage')`}
    ), policy as (
      select p.polrelid as relation, p.polcmd, p.polpermissive,
             coalesce(pg_get_expr(p.polqual, p.polrelid), '') as using_text,
             coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') as check_text
      from pg_policy p
      where exists (select from unnest(p.polroles) r where r = 0 or pg_has_role(${role}, r, 'member'))
    ), problem as (
      select name, 1 as position, 'row_security_disabled' as problem from relation
        where relkind in ('r', 'p') and not relrowsecurity
      union all select name, 2, 'row_security_not_forced' from relation
        where relkind in ('r', 'p') and not relforcerowsecurity
      union all select name, 3, 'no_policy' from relation
        where relkind in ('r', 'p') and not exists (select from policy p where p.relation = oid and p.polpermissive)
      union all select distinct name, 4, 'policy_without_using' from relation join policy p on p.relation = oid
        where p.polcmd <> 'a' and p.using_text = ''
      union all select distinct name, 5, 'policy_without_with_check' from relation join policy p on p.relation = oid
        where p.polcmd in ('*', 'a', 'w') and p.check_text = ''
      union all select distinct name, 6, 'policy_without_tenant' from relation join policy p on p.relation = oid
        where p.polpermissive
          and ((p.using_text <> '' and p.using_text not like ${setting}) or (p.check_text <> '' and p.check_text not like ${setting}))
      union all select distinct name, 7, 'key_without_tenant' from relation join pg_index i on i.indrelid = oid
        where i.indisunique and i.indkey[0] <> attnum
      union all select name, 8, 'view_runs_as_owner' from relation where relkind = 'v' and not invoker
      union all select name, 9, 'cannot_be_protected' from relation where relkind in ('m', 'f')
      union all select name, 10, 'truncate_granted' from relation
        where relkind in ('r', 'p') and has_table_privilege(${role}, oid, 'truncate')
      union all select name, 11, 'references_granted' from relation
        where relkind in ('r', 'p') and has_table_privilege(${role}, oid, 'references')
    )
    select name as table, array_agg(problem order by position) as problems from problem group by name order by name`
}

export interface RoleProblem {
  role: string
  problem: string
}

/**
 * Why the connected role may ignore row-level security. Both the role of the session and the current one are looked
 * at, and every role they belong to: RESET ROLE and SET ROLE are one injected statement away.
 */
export async function findRoleProblems(sql: Sql, options: CatalogOptions = {}): Promise<RoleProblem[]> {
  const column = options.tenantColumn ?? 'tenant_id'
  return sql<RoleProblem[]>`
    with me as (select distinct name from unnest(array[session_user, current_user]) as u(name)),
    reach as (
      select me.name, r.oid, r.rolname, r.rolsuper, r.rolbypassrls
      from me join pg_roles r on pg_has_role(me.name, r.oid, 'member')
    )
    select distinct name as role, 'is a superuser, or may become ' || rolname || ', which is one' as problem
      from reach where rolsuper
    union select name, 'has BYPASSRLS, or may become ' || rolname || ', which has it' from reach where rolbypassrls
    union select reach.name, 'owns ' || format('%I.%I', n.nspname, c.relname)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = ${column} and not a.attisdropped
      join reach on reach.oid = c.relowner
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
        and ${options.schemas ? sql`n.nspname = any(${[...options.schemas]}::text[])` : sql`true`}
    order by 1, 2`
}

const currentRole = async (sql: Sql): Promise<string> =>
  (await sql<{ role: string }[]>`select current_user::text as role`)[0]!.role
