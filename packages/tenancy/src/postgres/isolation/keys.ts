/**
 * Unique keys, exclusions and foreign keys without the tenant. Their checks go past every policy, so an answer tells whether
 * somebody else has the value: a duplicate that is refused, a reference that is not, a cascade that reaches others' rows.
 */
import { part } from './part.ts'

/** Foreign keys, with what each should say: the tenant first on both sides, the rest as it was. */
const REFERENCES = `
  reference as (
    select f.oid, f.conname, f.conindid, f.confrelid, f.confkey, f.conrelid, own.name as child, own.forced as child_forced, own.tenant as child_tenant,
      other.name as parent, other.tenant as parent_tenant, paired, theirs, columns.own as own_columns,
      case when paired then pg_get_constraintdef(f.oid)
           when f.confupdtype in ('n', 'd') or own.tenant = any (f.conkey) or other.tenant = any (f.confkey) then null
           else format('foreign key (%I, %s) references %s (%I, %s)', tenant_column, columns.own, other.name, tenant_column, theirs)
             || case f.confupdtype when 'r' then ' on update restrict' when 'c' then ' on update cascade' else '' end
             || case f.confdeltype when 'r' then ' on delete restrict' when 'c' then ' on delete cascade'
                  when 'n' then format(' on delete set null (%s)', emptied) when 'd' then format(' on delete set default (%s)', emptied)
                  else '' end
             || case when f.condeferrable then ' deferrable' else '' end || case when f.condeferred then ' initially deferred' else '' end
             || case when f.convalidated then '' else ' not valid' end
      end as definition
    from pg_constraint f
    join given on true
    cross join lateral (${side('f.conrelid')}) own
    cross join lateral (${side('f.confrelid')}) other
    cross join lateral (select coalesce(bool_or(u.own = own.tenant and u.other = other.tenant), false) as paired
      from unnest(f.conkey, f.confkey) u (own, other)) p
    cross join lateral (
      select string_agg(quote_ident(o.attname), ', ' order by u.at) as own, string_agg(quote_ident(t.attname), ', ' order by u.at) as theirs,
        -- Which columns ON DELETE empties can be named since PostgreSQL 15, and the tenant must not be among them.
        string_agg(quote_ident(o.attname), ', ' order by u.at) filter (
          where coalesce(nullif(to_jsonb(f) -> 'confdelsetcols', 'null') @> to_jsonb(u.own), true)) as emptied
      from unnest(f.conkey, f.confkey) with ordinality u (own, other, at)
      join pg_attribute o on o.attrelid = f.conrelid and o.attnum = u.own
      join pg_attribute t on t.attrelid = f.confrelid and t.attnum = u.other
    ) columns
    where f.contype = 'f' and f.conparentid = 0 and f.oid in (
      select o.oid from relation r join pg_constraint o on o.conrelid = r.oid
      union select o.oid from relation r join pg_constraint o on o.confrelid = r.oid)
  )`

function side(relation: string): string {
  return `
      select format('%I.%I', n.nspname, c.relname) as name, c.relforcerowsecurity as forced, a.attnum as tenant
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_attribute a on a.attrelid = c.oid and a.attname = tenant_column and not a.attisdropped
      where c.oid = ${relation}`
}

/** Keys without the tenant, each with the statements that put it first, in the foreign keys that refer to it, too. */
const KEYS = `
  bare_key as (
    select r.oid as relation, r.kind, r.name, r.nspname, r.relforcerowsecurity as forced, i.indexrelid, x.relname as index_name, m.amname,
      c.contype, coalesce(c.conname, x.relname) as key, pg_get_constraintdef(c.oid) as definition,
      pg_get_indexdef(i.indexrelid) as index_definition,
      format('CREATE UNIQUE INDEX %I ON %s%s USING %I (', x.relname, case when r.relkind = 'p' then 'ONLY ' else '' end, r.name, m.amname) as opening
    from relation r
    join pg_index i on i.indrelid = r.oid and (i.indisunique or i.indisexclusion)
    join pg_class x on x.oid = i.indexrelid
    join pg_am m on m.oid = x.relam
    left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = r.oid and c.contype in ('p', 'u', 'x')
    where r.relkind in ('r', 'p')
      -- A partition's part of a key is mended with the key.
      and not exists (select from pg_inherits h where h.inhrelid = i.indexrelid)
      and not exists (
        select from unnest(i.indkey::int2[]) with ordinality k (attnum, at)
        where attnum = r.tenant and at <= i.indnkeyatts
          and (c.contype is distinct from 'x' or (select oprname from pg_operator o where o.oid = c.conexclop[at]) = '='))
  ), mended_key as (
    select k.relation, k.kind, k.name, k.indexrelid, k.key, coalesce(
      '-- ' || regexp_replace(obstacle, '[\\n\\r]', ' ', 'g'),
      concat_ws(E'\\n', released, dropped, case
        when contype is not null then format('%salter table %s drop constraint %I, add constraint %I %s;',
          case when contype = 'x' and not exists (select from pg_extension where extname = 'btree_gist')
               then E'create extension if not exists btree_gist;\\n' else '' end, name, key, key,
          overlay(definition placing format(case contype when 'x' then '(%I with =, ' else '(%I, ' end, tenant_column)
            from strpos(definition, '(') for 1))
        when starts_with(index_definition, opening) then format(E'drop index %I.%I;\\ncreate unique index %I on %s using %I (%I, %s;',
          nspname, index_name, index_name, name, amname, tenant_column, substr(index_definition, length(opening) + 1))
        end, added, held), '-- Make this key anew by hand, with the tenant first.') as remedy
    from bare_key k
    join given on true
    cross join lateral (
      select string_agg(format('alter table %s drop constraint %I;', child, conname), E'\\n' order by oid) as dropped,
        string_agg(format('alter table %s add constraint %I %s;', child, conname, definition), E'\\n' order by oid) as added,
        min(case
          when child_tenant is null then format('Mend %s first: it refers to this key and has no tenant column.', child)
          when definition is null then format('Define the foreign key %I of %s anew by hand, with the tenant.', conname, child) end) as obstacle
      from reference r where r.conindid = k.indexrelid
    ) f
    -- Adding a foreign key reads the rows as the owner. FORCE would hide from it those that fit none, and it would be taken for valid.
    cross join lateral (
      select string_agg(format('alter table %s no force row level security;', t), E'\\n' order by t) as released,
        string_agg(format('alter table %s force row level security;', t), E'\\n' order by t) as held
      from (select child from reference r where r.conindid = k.indexrelid and child_forced
            union select k.name where k.forced and exists (select from reference r where r.conindid = k.indexrelid)) u (t)
    ) w
  ), mended_reference as (
    -- Where the other side has the key already, this side changes alone.
    select f.oid, f.child, f.conname, m.relation is null as alone, coalesce(m.remedy,
      case when definition is not null then concat_ws(E'\\n', released,
        format('alter table %s drop constraint %I, add constraint %I %s;', child, conname, conname, definition), held) end,
      format('-- Define this foreign key anew by hand, with the tenant, and a key (%I, %s) of %s for it.', tenant_column, theirs, parent)) as remedy,
      coalesce(m.relation, f.conrelid) as relation
    from reference f
    join given on true
    cross join lateral (select exists (
      select from pg_index i
      where i.indrelid = f.confrelid and i.indisunique and i.indimmediate and i.indpred is null and i.indexprs is null
        and (select array_agg(k order by k) from unnest(i.indkey::int2[]) with ordinality u (k, at) where at <= i.indnkeyatts)
          = (select array_agg(k order by k) from unnest(f.confkey || f.parent_tenant) k)) as keyed) e
    left join mended_key m on m.indexrelid = f.conindid and not keyed
    cross join lateral (
      select string_agg(format('alter table %s no force row level security;', name), E'\\n' order by name) as released,
        string_agg(format('alter table %s force row level security;', name), E'\\n' order by name) as held
      from relation r where r.oid in (f.conrelid, f.confrelid) and relforcerowsecurity
    ) w
    where not paired and child_tenant is not null and parent_tenant is not null
  )`

/** Tables of a question about keys, after those of `catalogOf`. What cannot be told for sure is a comment instead of statements. */
export const MENDED_KEYS = `${REFERENCES}, ${KEYS}`

export const keys = part({
  problems: {
    key_without_tenant: {
      severity: 'leak',
      why: 'The key {detail} spans all tenants, and its check asks no policy: a duplicate that is refused tells what another tenant has.',
    },
    foreign_key_without_tenant: {
      severity: 'leak',
      why: 'The foreign key {detail} does not compare the tenant, and its check asks no policy: a reference to another tenant’s row is taken, and tells that it is there.',
    },
    table_without_tenant: {
      severity: 'risk',
      why: 'By {detail} its rows belong to rows of tenants, but they have no tenant column: every tenant sees all of them.',
    },
  },
  tables: MENDED_KEYS,
  sql: `
    select kind, name as object, 'key_without_tenant' as problem, quote_ident(key) as detail, remedy, null as facts from mended_key
    union all select 'table', f.child, 'foreign_key_without_tenant', quote_ident(f.conname), f.remedy, null
      from mended_reference f join reference r on r.oid = f.oid join relation c on c.oid = r.conrelid
    union all select distinct on (f.conrelid) 'table', f.child, 'table_without_tenant', quote_ident(f.conname), null,
      jsonb_build_object('schema', n.nspname, 'name', c.relname, 'role', role, 'parent', case when p.relforcerowsecurity then f.parent end, 'type', format_type(a.atttypid, a.atttypmod),
        'query', format('select of_whom.%I from %s of_whom where (%s) = (%s)', tenant_column, f.parent,
          (select string_agg(format('of_whom.%I', t.attname), ', ' order by u.at) from unnest(f.confkey) with ordinality u (k, at)
            join pg_attribute t on t.attrelid = f.confrelid and t.attnum = u.k),
          (select string_agg(format('%I.%I', c.relname, t.attname), ', ' order by u.at) from unnest(o.conkey) with ordinality u (k, at)
            join pg_attribute t on t.attrelid = f.conrelid and t.attnum = u.k)))::text
      from reference f
      join pg_constraint o on o.oid = f.oid
      join pg_class c on c.oid = f.conrelid
      join place n on n.oid = c.relnamespace
      join pg_class p on p.oid = f.confrelid
      join pg_attribute a on a.attrelid = f.confrelid and a.attnum = f.parent_tenant
      join given on true
      where f.child_tenant is null and not c.relispartition and has_any_column_privilege(role, c.oid, 'select, insert, update')`,
})
