/**
 * Numbers per tenant whose series are bounded. A label for each tenant would cost the monitoring system a series for each
 * that ever came; so the busiest have their own, and all others share `_other`. A place is never taken away again:
 * OpenTelemetry and Prometheus go on showing a series that has ended, and what was moved to another would be there twice.
 * So a process exports at most `most + 2` series in all its life, each only goes up, and their sum is all that was counted.
 */
import { identityIfAny } from '../identity/context.ts'

export interface TenantCounterOptions {
  /** The first so many tenants have a series of their own, whatever they do (20). */
  top?: number
  /** So many at most, ever (100): who comes later gets a place by counting twice as much as the least of the busiest `top`. */
  most?: number
  /** How often places are given, in ms (60,000). */
  reviewMilliseconds?: number
  /** Milliseconds since 1970. */
  now?: () => number
}

export interface TenantSeries {
  /** The tenant’s id; `_other` for those without a series of their own, `_none` where nobody’s identity is known. */
  tenant: string
  value: number
}

export interface TenantCounter {
  /** Adds to the tenant for which this runs. @throws Error for a negative amount */
  add(amount?: number): void
  /** What is to be exported: at most `most` tenants, `_other` and `_none`. */
  series(): TenantSeries[]
}

interface Place {
  total: number
  /** Since the last review. */
  recent: number
}

/** How many of those without a place are watched between two reviews, for each of the top. */
const watchedPerPlace = 10

/**
 * @example
 * const requests = createTenantCounter({ top: 20 })
 * withIdentity(identity, () => requests.add())
 * requests.series()
 * // → [{ tenant: 'BlueKite4Jq8Zt1Ns6Yb0Xw3', value: 1 }, { tenant: '_other', value: 0 }, { tenant: '_none', value: 0 }]
 */
export function createTenantCounter(options: TenantCounterOptions = {}): TenantCounter {
  const { top = 20, most = Math.max(top, 100), reviewMilliseconds = 60_000, now = Date.now } = options
  const places = new Map<string, Place>()
  /** Those without a place, and what they counted since the last review. */
  const watched = new Map<string, number>()
  let [other, none, reviewedAt] = [0, 0, now()]

  /** Misra and Gries: who makes up more than its share of all that is counted stays on the list, however many come. */
  const watch = (tenantId: string, amount: number): void => {
    const known = watched.get(tenantId)
    if (known !== undefined || watched.size < top * watchedPerPlace) {
      watched.set(tenantId, (known ?? 0) + amount)
      return
    }
    const least = Math.min(amount, ...watched.values())
    for (const [other, count] of watched) {
      if (count <= least) watched.delete(other)
      else watched.set(other, count - least)
    }
    if (amount > least) watched.set(tenantId, amount - least)
  }
  const review = (): void => {
    const least = [...places.values()].map(({ recent }) => recent).sort((a, b) => b - a)[top - 1] ?? 0
    for (const [tenantId, recent] of [...watched].sort((a, b) => b[1] - a[1])) {
      if (places.size >= most || recent <= 2 * least) break
      // What it has counted before stays in `_other`.
      places.set(tenantId, { total: 0, recent: 0 })
    }
    watched.clear()
    for (const place of places.values()) place.recent = 0
  }
  return {
    add(amount = 1) {
      if (!(amount >= 0)) throw new Error(`A counter was given ${amount}; it only goes up.`)
      const at = now()
      if (at - reviewedAt >= reviewMilliseconds) {
        reviewedAt = at
        review()
      }
      const tenantId = identityIfAny()?.tenantId
      if (tenantId === undefined) {
        none += amount
        return
      }
      const place = places.get(tenantId)
      if (place) {
        place.total += amount
        place.recent += amount
      } else if (places.size < top) places.set(tenantId, { total: amount, recent: amount })
      else {
        other += amount
        watch(tenantId, amount)
      }
    },
    series: () => [
      ...[...places].map(([tenant, { total }]) => ({ tenant, value: total })),
      { tenant: '_other', value: other },
      { tenant: '_none', value: none },
    ],
  }
}
