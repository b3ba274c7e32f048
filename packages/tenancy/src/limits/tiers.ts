/** Tiers are data: what each of them allows a tenant, by name. */

export interface Tier {
  /** `burst` requests at once, and `perSecond` more each second: a token bucket. */
  rate?: { perSecond: number; burst: number }
  /** At most so many in a day or a month of the calendar, UTC. */
  quota?: { day?: number; month?: number }
  /** At most so many at the same time. */
  concurrent?: number
}

/** The tiers of an application. A tier without a limit is written as `{}`: unlimited on purpose, never by omission. */
export type Tiers = Readonly<Record<string, Tier>>

/** One limit of one tier. `size`: what the bucket, the period or the hall holds. */
export interface Limit {
  readonly kind: 'concurrent' | 'rate' | 'quota'
  readonly name: 'concurrent' | 'rate' | 'day' | 'month'
  readonly size: number
  /** Only of rates: tokens that come back each second. */
  readonly perSecond: number
}

/** The limits of each tier, in the order in which they are asked. @throws Error for a tier that cannot be obeyed */
export function compileTiers(tiers: Tiers): ReadonlyMap<string, readonly Limit[]> {
  return new Map(
    Object.entries(tiers).map(([name, tier]) => {
      const known = ['rate', 'quota', 'concurrent']
      const stray = Object.keys(tier).find((member) => !known.includes(member))
      if (stray !== undefined) throw new Error(`The tier ${name} has "${stray}"; there are ${known.join(', ')}.`)
      return [name, limitsOf(name, tier)] as const
    }),
  )
}

function limitsOf(tierName: string, { rate, quota, concurrent }: Tier): Limit[] {
  const count = (value: unknown, what: string): number => {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw new Error(`The tier ${tierName} needs a whole number, 0 or more, as ${what}.`)
  }
  const limits: Limit[] = []
  if (concurrent !== undefined) {
    limits.push({ kind: 'concurrent', name: 'concurrent', size: count(concurrent, 'concurrent'), perSecond: 0 })
  }
  if (rate !== undefined) {
    const { perSecond, burst } = rate
    if (!(Number.isFinite(perSecond) && perSecond >= 0)) {
      throw new Error(`The tier ${tierName} needs a number, 0 or more, as rate.perSecond.`)
    }
    limits.push({ kind: 'rate', name: 'rate', size: count(burst, 'rate.burst'), perSecond })
  }
  for (const name of ['day', 'month'] as const) {
    const size = quota?.[name]
    if (size !== undefined) limits.push({ kind: 'quota', name, size: count(size, `quota.${name}`), perSecond: 0 })
  }
  return limits
}

/** The period of a quota by the calendar, UTC: `2026-11-30` or `2026-11`, and when it ends (ms since 1970). */
export function periodOf(name: 'day' | 'month', at: number): { period: string; endsAt: number } {
  const date = new Date(at)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  return name === 'day'
    ? { period: date.toISOString().slice(0, 10), endsAt: Date.UTC(year, month, day + 1) }
    : { period: date.toISOString().slice(0, 7), endsAt: Date.UTC(year, month + 1, 1) }
}
