import { part } from './part.ts'

/** Policies that hold for the role: any missing, and any that lets another tenant's rows through. */
export const policies = part({
  problems: {
    no_policy: {
      severity: 'leak',
      why: 'No policy lets the role see its tenant’s rows: it works on none, until somebody opens the table to get on.',
    },
    policy_without_using: {
      severity: 'leak',
      why: 'Policy {detail} says nothing of the rows that are read, changed and deleted.',
    },
    policy_without_with_check: {
      severity: 'leak',
      why: 'Policy {detail} does not say itself which rows may be written.',
    },
    policy_without_tenant: {
      severity: 'leak',
      why: 'Policy {detail} is not limited to rows of the tenant, and permissive policies add up: what one allows is allowed.',
    },
  },
  tables: `policy as (
    select r.oid, r.kind, r.name, r.condition, p.polname, p.polcmd, p.polpermissive,
      using_text, check_text,
      -- What most policies say word for word; the expression takes half a millisecond for each.
      case when using_text = usual then true else using_text ~ comparison end as using_tenant,
      case when check_text = usual then true else check_text ~ comparison end as check_tenant
    from relation r join pg_policy p on p.polrelid = r.oid join given on true
    cross join lateral (
      select pg_get_expr(p.polqual, p.polrelid) as using_text, pg_get_expr(p.polwithcheck, p.polrelid) as check_text,
        format('(%I = NULLIF(current_setting(%L::text, true), ''''::text))', tenant_column, setting) as usual
    ) e
    where exists (select from unnest(p.polroles) o where case when o = 0 then true else pg_has_role(role, o, 'member') end)
  ), narrowed as (
    -- A restrictive policy with the tenant for all commands is asked in addition to whatever permissive ones allow.
    select distinct p.oid from policy p
    where not polpermissive and polcmd = '*' and using_tenant and coalesce(check_tenant, using_tenant)
  )`,
  sql: `
    select kind, name as object, 'no_policy' as problem, null as detail,
      format('create policy %I on %s using (%s) with check (%s);',
        case when exists (select from pg_policy p where p.polrelid = r.oid and p.polname = 'tenant') then 'tenant of ' || role else 'tenant' end,
        name, condition, condition) as remedy, null as facts
      from relation r, given where relkind in ('r', 'p') and not exists (select from policy p where p.oid = r.oid and p.polpermissive)
    union all select kind, name, 'policy_without_using', quote_ident(polname), format('alter policy %I on %s using (%s);', polname, name, condition), null
      from policy where polcmd <> 'a' and using_text is null
    union all select kind, name, 'policy_without_with_check', quote_ident(polname),
      format('alter policy %I on %s with check (%s);', polname, name, condition), null
      from policy where polcmd in ('*', 'a', 'w') and check_text is null
    union all select kind, name, 'policy_without_tenant', quote_ident(polname),
      format('alter policy %I on %s%s%s;', polname, name,
        case when polcmd <> 'a' then format(' using (%s)', condition) else '' end,
        case when polcmd in ('*', 'a', 'w') then format(' with check (%s)', condition) else '' end), null
      from policy p where polpermissive and (not using_tenant or not check_tenant)
        and not exists (select from narrowed n where n.oid = p.oid)`,
})
