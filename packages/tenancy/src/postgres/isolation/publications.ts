import { part } from './part.ts'

/** Publications hand rows on as they are written: a subscriber is asked for no tenant. */
export const publications = part({
  problems: {
    published: {
      severity: 'risk',
      why: 'It publishes {detail}: subscribers are sent every tenant’s rows, since policies hold for queries alone.',
    },
  },
  tables: `published as (
    select p.pubname, p.puballtables, r.oid, r.name, r.nspname, pr.oid is not null as by_name
    from pg_publication p
    join relation r on r.relkind in ('r', 'p')
    left join pg_publication_rel pr on pr.prpubid = p.oid and pr.prrelid = r.oid
    where pr.oid is not null or exists (
      select from pg_publication_tables t where t.pubname = p.pubname and format('%I.%I', t.schemaname, t.tablename) = r.name)
      -- Published with the table that it is a part of.
      and not exists (select from pg_publication_rel o where o.prpubid = p.oid and o.prrelid in (select pg_partition_ancestors(r.oid)))
  )`,
  sql: `
    select 'publication' as kind, quote_ident(pubname) as object, 'published' as problem, string_agg(name, ', ' order by name) as detail,
      case when puballtables then format('drop publication %I;', pubname) else concat_ws(E'\\n',
        string_agg(format('alter publication %I drop table %s;', pubname, name), E'\\n' order by name) filter (where by_name),
        string_agg(distinct format('alter publication %I drop tables in schema %I;', pubname, nspname), E'\\n') filter (where not by_name)) end as remedy,
      null as facts
      from published group by pubname, puballtables`,
})
