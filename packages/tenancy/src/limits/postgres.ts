/**
 * Limits in PostgreSQL. Each kind is one statement for any number of tenants; its rows are locked in one order, so that
 * two processes never wait for each other in a circle. `granted`, `asked`, `wanted` and the like are columns, because
 * neither ON CONFLICT nor RETURNING sees anything else.
 */
import type { PendingQuery, Sql } from 'postgres'
import { type Lease, type LimitStore, SLOT_SECONDS, type Wish } from './store.ts'
import { DEFAULT_SCHEMA } from './tables.ts'

export interface PostgresLimitsOptions {
  /** Where `limitTables` has put the tables: `tenancy` if left out. */
  schema?: string
}

type Fragment = PendingQuery<Row[]>
interface Row {
  tenant_id: string
  name: string
  period: string
  granted: number
  remaining: number
}

/**
 * @param sql a pool of the limiter’s own role (see `limitTables`), not of the application’s: one statement settles many
 *   tenants. One connection is enough.
 * @example
 * const store = postgresLimits(postgres(limitsUrl, { max: 2 }))
 * const limiter = createLimiter({ store, tiers: { basic: { quota: { day: 1_000 }, concurrent: 5 } } })
 * const { headers, leave } = await withIdentity(identity, () => limiter.enter())
 * headers // → { 'ratelimit-policy': '"day";q=1000;w=86400', ratelimit: '"day";r=…;t=…' }
 * await leave()
 */
export function postgresLimits(sql: Sql, options: PostgresLimitsOptions = {}): LimitStore {
  const table = (name: string) => sql(`${options.schema ?? DEFAULT_SCHEMA}.${name}`)

  const buckets = (wishes: readonly Wish[]) => sql<Row[]>`
    insert into ${table('limit_buckets')} as b
      (tenant_id, size, per_second, asked, wanted, granted, tokens, at, forget_at)
    select tenant_id, size, per_second, asked, wanted, granted, settled - granted, now(),
           ${full(sql`w.per_second`, sql`size - settled + granted`)}
    from ${wishList(wishes)},
         lateral (select least(size, size - asked) as settled) s,
         lateral (select greatest(0, least(wanted, floor(settled))) as granted) g
    order by tenant_id
    on conflict (tenant_id) do update
    set (size, per_second, asked, wanted, granted, tokens, at, forget_at) = (
      select excluded.size, excluded.per_second, excluded.asked, excluded.wanted, g.granted, settled - g.granted,
             greatest(b.at, now()), ${full(sql`excluded.per_second`, sql`excluded.size - settled + g.granted`)}
      from (select least(excluded.size, b.tokens
              + excluded.per_second * greatest(0, extract(epoch from now() - b.at))) as refilled) r,
           lateral (select least(excluded.size, refilled - excluded.asked) as settled) s,
           lateral (select greatest(0, least(excluded.wanted, floor(settled))) as granted) g)
    returning tenant_id, '' as name, '' as period, granted::float8, tokens as remaining`

  const quotas = (wishes: readonly Wish[]) => sql<Row[]>`
    insert into ${table('limit_quotas')} as q (tenant_id, name, period, size, asked, wanted, granted, used, forget_at)
    select tenant_id, name, period, size, asked, wanted, granted, settled + granted, to_timestamp(ends_at / 1000)
    from ${wishList(wishes)},
         lateral (select greatest(0, asked) as settled) s,
         lateral (select greatest(0, least(wanted, size - settled)) as granted) g
    order by tenant_id, name, period
    on conflict (tenant_id, name, period) do update set (size, asked, wanted, granted, used) = (
      select excluded.size, excluded.asked, excluded.wanted, g.granted, settled + g.granted
      from (select greatest(0, q.used + excluded.asked) as settled) s,
           lateral (select greatest(0, least(excluded.wanted, excluded.size - settled)) as granted) g)
    returning tenant_id, name, period, granted::float8, (size - used)::float8 as remaining`

  // A holder is [how many, until when]. Those whose time is over are dropped by whoever comes next.
  const slots = (wishes: readonly Wish[]) => sql<Row[]>`
    insert into ${table('limit_slots')} as s (tenant_id, size, holder, asked, wanted, granted, remaining, holders, forget_at)
    select tenant_id, size, holder, asked, wanted, granted, size - asked - granted,
           ${holding(sql`'{}'::jsonb`, sql`holder`, sql`asked + granted`)}, ${until()}
    from ${wishList(wishes)}, lateral (select greatest(0, least(wanted, size - asked)) as granted) g
    order by tenant_id
    on conflict (tenant_id) do update
    set (size, holder, asked, wanted, granted, remaining, holders, forget_at) = (
      select excluded.size, excluded.holder, excluded.asked, excluded.wanted, g.granted,
             excluded.size - taken - excluded.asked - g.granted,
             ${holding(sql`o.holders`, sql`excluded.holder`, sql`excluded.asked + g.granted`)}, greatest(s.forget_at, ${until()})
      from (select coalesce(jsonb_object_agg(key, value), '{}') as holders,
                   coalesce(sum((value ->> 0)::bigint), 0) as taken
            from jsonb_each(s.holders)
            where key <> excluded.holder and (value ->> 1)::float8 > extract(epoch from now())) o,
           lateral (select greatest(0, least(excluded.wanted, excluded.size - taken - excluded.asked)) as granted) g)
    returning tenant_id, '' as name, '' as period, granted::float8, remaining::float8`

  const full = (perSecond: Fragment, missing: Fragment) => sql`
    case when ${missing} <= 0 then now()
         when ${perSecond} > 0 then now() + make_interval(secs => least(1e8, (${missing}) / ${perSecond}))
         else 'infinity' end`
  const until = () => sql`now() + make_interval(secs => ${SLOT_SECONDS})`
  const holding = (others: Fragment, holder: Fragment, count: Fragment) => sql`
    case when ${count} = 0 then ${others}
         else ${others} || jsonb_build_object(${holder},
                jsonb_build_array(${count}, extract(epoch from ${until()}))) end`
  const wishList = (wishes: readonly Wish[]) => sql`
    unnest(${wishes.map(({ tenantId }) => tenantId)}::text[], ${wishes.map(({ limit }) => limit.name)}::text[],
           ${wishes.map(({ period }) => period)}::text[], ${wishes.map(({ endsAt }) => endsAt)}::float8[],
           ${wishes.map(({ limit }) => limit.size)}::bigint[],
           ${wishes.map(({ limit }) => limit.perSecond)}::float8[],
           ${wishes.map(({ used }) => used)}::bigint[], ${wishes.map(({ wanted }) => wanted)}::bigint[],
           ${wishes.map(({ holder }) => holder)}::text[])
      as w (tenant_id, name, period, ends_at, size, per_second, asked, wanted, holder)`

  const settle = async (
    wishes: readonly Wish[],
    kind: Wish['limit']['kind'],
    statement: (some: readonly Wish[]) => PromiseLike<readonly Row[]>,
    into: Map<string, Lease>,
  ): Promise<void> => {
    const some = wishes.filter(({ limit }) => limit.kind === kind)
    if (some.length === 0) return
    for (const row of await statement(some)) {
      const { tenant_id, name, period, granted, remaining } = row
      into.set(keyOf(kind, tenant_id, name, period), { granted, left: Math.max(0, remaining) })
    }
  }
  return {
    async lease(wishes) {
      const leases = new Map<string, Lease>()
      await Promise.all([
        settle(wishes, 'rate', buckets, leases),
        settle(wishes, 'quota', quotas, leases),
        settle(wishes, 'concurrent', slots, leases),
      ])
      return wishes.map(({ tenantId, limit, period }) => {
        const name = limit.kind === 'quota' ? limit.name : ''
        return leases.get(keyOf(limit.kind, tenantId, name, period))!
      })
    },
    async sweep() {
      await sql`delete from ${table('limit_buckets')} where forget_at < now()`
      await sql`delete from ${table('limit_quotas')} where forget_at < now()`
      await sql`delete from ${table('limit_slots')} where forget_at < now()`
    },
  }
}

const keyOf = (kind: string, tenantId: string, name: string, period: string) =>
  `${kind}\0${name}\0${period}\0${tenantId}`
