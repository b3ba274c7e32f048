/** A tenant's usage, read by the tenant's own transaction and written in open formats. */
import { currentIdentity } from '../../identity/context.ts'
import { quoted } from '../../postgres/quoted.ts'
import { DEFAULT_SCHEMA } from '../tables.ts'

export interface Usage {
  tenantId: string
  meter: string
  /** The day (`2026-11-30`) or month (`2026-11`) of the calendar, UTC. */
  period: string
  amount: bigint
}

export interface UsagePeriod {
  /** The first and the last day, UTC: `2026-11-01`, `2026-11-30`. */
  from: string
  to: string
  /** One row for each meter and day, or month. */
  by: 'day' | 'month'
  /** `tenancy` if left out. */
  schema?: string
}

/** Sends a statement with parameters inside the tenant's transaction, whatever the driver: rows as objects. */
export type Query = (text: string, parameters: string[]) => PromiseLike<Iterable<unknown>>

/**
 * What the tenant for which this runs has used. Days in which nothing was counted have no row.
 *
 * @throws Error for days that are none; IdentityMissing where nobody's identity is known
 * @example
 * const march = { from: '2026-03-01', to: '2026-03-31', by: 'month' } as const
 * await withIdentity(identity, () =>
 *   database.inTenant((tx) => readUsage((text, parameters) => tx.unsafe(text, parameters), march)),
 * )
 * // → [{ tenantId: 'BlueKite4Jq8Zt1Ns6Yb0Xw3', meter: 'reports', period: '2026-03', amount: 3n }]
 */
export async function readUsage(
  query: Query,
  { from, to, by, schema = DEFAULT_SCHEMA }: UsagePeriod,
): Promise<Usage[]> {
  for (const day of [from, to]) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day))) {
      throw new Error(`“${day}” is no day; write it as 2026-11-30.`)
    }
  }
  const { tenantId } = currentIdentity()
  // The tenant once more beside row-level security: whoever may see more (the limiter's role) still reads one tenant's.
  const rows = await query(
    `select meter, to_char(day, $3::text) as period, sum(amount)::text as amount
from ${quoted(schema)}.usage
where day between $1::text::date and $2::text::date and tenant_id = $4
group by 1, 2 order by 2, 1`,
    [from, to, by === 'day' ? 'YYYY-MM-DD' : 'YYYY-MM', tenantId],
  )
  return [...(rows as Iterable<{ meter: string; period: string; amount: string }>)].map(
    ({ meter, period, amount }) => ({
      ...{ tenantId, meter, period },
      amount: BigInt(amount),
    }),
  )
}

// Numbers beyond 2^53 are not merged: amounts are texts in JSON, as most JSON readers would round them.
const plain = ({ tenantId, meter, period, amount }: Usage) => ({ tenantId, meter, period, amount: String(amount) })

/** JSON Lines: one object a line, amounts as texts. */
export const usageAsJsonLines = (usage: readonly Usage[]): string =>
  usage.map((row) => `${JSON.stringify(plain(row))}\n`).join('')

/**
 * CSV (RFC 4180) with a head. No cell can be a formula: meters and tenant ids begin with neither `=`, `+` nor `@`.
 * @example
 * usageAsCsv([{ tenantId, meter: 'reports', period: '2026-11', amount: 3n }])
 * // → 'tenantId,meter,period,amount\r\nBlueKite4Jq8Zt1Ns6Yb0Xw3,reports,2026-11,3\r\n'
 */
export const usageAsCsv = (usage: readonly Usage[]): string =>
  ['tenantId,meter,period,amount', ...usage.map((row) => Object.values(plain(row)).map(cell).join(','))]
    .map((line) => `${line}\r\n`)
    .join('')

// A spreadsheet takes a cell that begins like this for a formula, quoted or not.
const cell = (text: string) => {
  const tame = /^[=+@\t\r-]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame
}

/** An event as `LifecycleEvent` and the SaaS Builder Toolkit name it, for the outbox or a billing system. */
export interface IngestUsageEvent {
  /** The same whenever this usage is exported with this amount; whoever has seen it drops it. */
  id: string
  tenantId: string
  source: 'applicationPlaneEventSource'
  name: 'ingestUsage'
  detail: { tenantId: string; meter: string; period: string; amount: string }
}

/**
 * One `ingestUsage` event for each row. `amount` is all that was used in the period by then and not a difference, so a
 * later event for the same meter and period replaces an earlier one.
 */
export const ingestUsageEvents = (usage: readonly Usage[]): IngestUsageEvent[] =>
  usage.map((row) => ({
    id: [row.tenantId, row.meter, row.period, row.amount].join('/'),
    tenantId: row.tenantId,
    source: 'applicationPlaneEventSource',
    name: 'ingestUsage',
    detail: plain(row),
  }))
