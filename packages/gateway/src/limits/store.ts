import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Lease, SharedBuckets } from './leases.ts'

const reason = 'limits that several gateways share'
// A process announces itself every five seconds.
const aliveSeconds = 15

/** Common buckets in PostgreSQL, by its own clock: those of the processes need not agree. */
export const createSharedBuckets = (database: Database): SharedBuckets => ({
  lease: (wishes) =>
    database.acrossEnvironments(reason, async (sql) => {
      // Rows are locked in the order of their names, so two processes never wait for each other.
      const sorted = wishes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
      const rows = await sql<Lease[]>`
        insert into gateway.buckets as b (name, per_second, burst, tokens, owed, wanted, granted, at)
        select name, per_second, burst, settled - granted, owed, wanted, granted, now()
        from unnest(${sorted.map(({ name }) => name)}::text[], ${sorted.map(({ perSecond }) => perSecond)}::float8[],
                    ${sorted.map(({ burst }) => burst)}::float8[], ${sorted.map(({ owed }) => owed)}::float8[],
                    ${sorted.map(({ wanted }) => wanted)}::float8[]) as w (name, per_second, burst, owed, wanted),
             lateral (select least(burst, burst - owed) as settled) s,
             lateral (select greatest(0, least(wanted, floor(settled))) as granted) g
        order by name
        on conflict (name) do update set (per_second, burst, tokens, owed, wanted, granted, at) = (
          select excluded.per_second, excluded.burst, settled - granted, excluded.owed, excluded.wanted, granted, now()
          from (select least(excluded.burst, b.tokens
                  + excluded.per_second * greatest(0, extract(epoch from now() - b.at))) as refilled) r,
               lateral (select least(excluded.burst, refilled - excluded.owed) as settled) s,
               lateral (select greatest(0, least(excluded.wanted, floor(settled))) as granted) g)
        returning name, granted, tokens as left`
      return rows
    }),
  announce: (process) =>
    database.acrossEnvironments(reason, async (sql) => {
      const [row] = await sql<{ count: number }[]>`
        with seen as (
          insert into gateway.limiters (process, seen_at) values (${process}, now())
          on conflict (process) do update set seen_at = now()
        ), gone as (
          delete from gateway.limiters where seen_at < now() - make_interval(secs => ${aliveSeconds * 4})
        )
        select count(*)::int as count from gateway.limiters
        where seen_at > now() - make_interval(secs => ${aliveSeconds}) and process <> ${process}`
      return (row?.count ?? 0) + 1
    }),
  leave: (process) =>
    database.acrossEnvironments(reason, async (sql) => {
      await sql`delete from gateway.limiters where process = ${process}`
    }),
  sweep: () =>
    database.acrossEnvironments(reason, async (sql) => {
      await sql`
        delete from gateway.buckets
        where at < now() - interval '1 minute' and tokens + per_second * extract(epoch from now() - at) >= burst`
    }),
})
