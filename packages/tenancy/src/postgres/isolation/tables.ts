import { part } from './part.ts'

/** Tables and their tenant column: row-level security, NULL, default, and an index for the policy. */
export const tables = part({
  problems: {
    no_tenant_table: {
      severity: 'risk',
      why: 'No table has the column {detail}, so there is nothing here that policies could keep apart, or it is called otherwise.',
    },
    row_security_disabled: {
      severity: 'leak',
      why: 'Row-level security is not enabled, so policies are not asked and every row is seen.',
    },
    row_security_not_forced: {
      severity: 'leak',
      why: 'Row-level security is not forced: for the table’s owner, and functions and views that run as it, no policy holds.',
    },
    tenant_nullable: {
      severity: 'risk',
      why: 'The tenant column takes NULL: such rows are nobody’s, no policy shows them, and keys do not tell them apart.',
    },
    tenant_default: {
      severity: 'risk',
      why: 'The tenant column defaults to {detail}, so what forgets the tenant writes for one that it does not speak for.',
    },
    no_index_for_tenant: {
      severity: 'risk',
      why: 'No index begins with the tenant, so each query of one tenant reads the rows of all, which costs and can be timed.',
    },
  },
  sql: `
    select 'schema' as kind, coalesce((select string_agg(quote_ident(nspname), ', ' order by nspname) from place), 'none') as object,
      'no_tenant_table' as problem, quote_ident(tenant_column) as detail, '-- Name the column, or let protect add it.' as remedy, null as facts
      from given where not exists (select from relation where relkind in ('r', 'p'))
    union all select kind, name, 'row_security_disabled', null, format('alter table %s enable row level security;', name), null
      from relation where relkind in ('r', 'p') and not relrowsecurity
    union all select kind, name, 'row_security_not_forced', null, format('alter table %s force row level security;', name), null
      from relation where relkind in ('r', 'p') and not relforcerowsecurity
    union all select kind, name, 'tenant_nullable', null,
      format('alter table %s alter column %I set not null;', name, tenant_column), null
      from relation, given where relkind in ('r', 'p') and not attnotnull
    union all select kind, name, 'tenant_default', pg_get_expr(d.adbin, d.adrelid),
      format('alter table %s alter column %I set default %s;', name, tenant_column,
        substr(condition, length(quote_ident(tenant_column)) + 4)), null
      from relation join pg_attrdef d on d.adrelid = relation.oid and d.adnum = tenant, given
      where relkind in ('r', 'p') and attgenerated = ''
        and strpos(pg_get_expr(d.adbin, d.adrelid), format('current_setting(%L::text', setting)) = 0
    union all select kind, name, 'no_index_for_tenant', null, format('create index on %s (%I);', name, tenant_column), null
      from relation, given where relkind in ('r', 'p') and not exists (
        select from pg_index i where i.indrelid = relation.oid and i.indkey[0] = tenant and i.indisvalid and i.indpred is null)
        -- An index of the whole is one of each partition.
        and not relispartition`,
})
