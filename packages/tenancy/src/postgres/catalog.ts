/**
 * What PostgreSQL's own catalog says about isolation. Row-level security is only as good as the table that forgot it
 * and the role that may ignore it, and neither shows in a test that asks for its own rows.
 */

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

/**
 * Whatever can ask a question: a pool of postgres.js or node-postgres, or a kit's driver. Parameters are texts, and a list is
 * a text of JSON, since that is what all drivers send alike.
 */
export type CatalogClient =
  | { unsafe(text: string, parameters?: never[]): PromiseLike<readonly unknown[]> }
  | { query(text: string, parameters?: unknown[]): Promise<readonly unknown[] | { rows: readonly unknown[] }> }

/** One way to ask for all of them. */
export function queryOf(client: CatalogClient) {
  return async <R>(text: string, parameters: readonly (string | null)[] = []): Promise<R[]> => {
    const answer = await ('unsafe' in client
      ? client.unsafe(text, [...parameters] as never[])
      : client.query(text, [...parameters]))
    return [...('rows' in answer ? answer.rows : answer)] as R[]
  }
}

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
export async function findUnprotectedTables(
  client: CatalogClient,
  options: CatalogOptions = {},
): Promise<UnprotectedTable[]> {
  const setting = `%current_setting('${(options.setting ?? 'app.tenant_id').replace(/[\\%_']/g, '\\$&')}'%`
  return queryOf(client)<UnprotectedTable>(UNPROTECTED, [
    options.tenantColumn ?? 'tenant_id',
    setting,
    options.role ?? null,
    options.schemas ? JSON.stringify(options.schemas) : null,
  ])
}

const UNPROTECTED = `
    with me as (select coalesce($3::text, current_user::text)::name as role),
    relation as (
      select c.oid, c.relkind, c.relrowsecurity, c.relforcerowsecurity, a.attnum,
             format('%I.%I', n.nspname, c.relname) as name,
             exists (select from pg_options_to_table(c.reloptions) o
                     where o.option_name = 'security_invoker' and o.option_value::boolean) as invoker
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = $1::text and not a.attisdropped
      where c.relkind in ('r', 'p', 'v', 'm', 'f')
        and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
        and case when $4::text is null then has_schema_privilege((select role from me), n.oid, 'usage')
                 else n.nspname in (select jsonb_array_elements_text($4::text::jsonb)) end
    ), policy as (
      select p.polrelid as relation, p.polcmd, p.polpermissive,
             coalesce(pg_get_expr(p.polqual, p.polrelid), '') as using_text,
             coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') as check_text
      from pg_policy p
      where exists (select from unnest(p.polroles) r where r = 0 or pg_has_role((select role from me), r, 'member'))
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
          and ((p.using_text <> '' and p.using_text not like $2::text) or (p.check_text <> '' and p.check_text not like $2::text))
      union all select distinct name, 7, 'key_without_tenant' from relation join pg_index i on i.indrelid = oid
        where i.indisunique and i.indkey[0] <> attnum
      union all select name, 8, 'view_runs_as_owner' from relation where relkind = 'v' and not invoker
      union all select name, 9, 'cannot_be_protected' from relation where relkind in ('m', 'f')
      union all select name, 10, 'truncate_granted' from relation
        where relkind in ('r', 'p') and has_table_privilege((select role from me), oid, 'truncate')
      union all select name, 11, 'references_granted' from relation
        where relkind in ('r', 'p') and has_table_privilege((select role from me), oid, 'references')
    )
    select name as table, json_agg(problem order by position) as problems from problem group by name order by name`

export interface RoleProblem {
  role: string
  problem: string
}

/**
 * Why the connected role may ignore row-level security. Both the role of the session and the current one are looked
 * at, and every role they belong to: RESET ROLE and SET ROLE are one injected statement away.
 */
export async function findRoleProblems(client: CatalogClient, options: CatalogOptions = {}): Promise<RoleProblem[]> {
  return queryOf(client)<RoleProblem>(ROLES, [
    options.tenantColumn ?? 'tenant_id',
    options.schemas ? JSON.stringify(options.schemas) : null,
  ])
}

const ROLES = `
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
      join pg_attribute a on a.attrelid = c.oid and a.attname = $1::text and not a.attisdropped
      join reach on reach.oid = c.relowner
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
        and ($2::text is null or n.nspname in (select jsonb_array_elements_text($2::text::jsonb)))
    order by 1, 2`
