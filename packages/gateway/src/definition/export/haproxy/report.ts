/** How far a feature survives the way into HAProxy. */
export interface FeatureReport {
  readonly feature: string
  /** The API, or the key of a route. */
  readonly where: string
  readonly class: 'exact' | 'approximate' | 'refused'
  /** What differs, or why it is refused; empty for what is exact. */
  readonly says: string
}

export interface Features {
  exact(where: string, feature: string): void
  approximate(where: string, feature: string, difference: string): void
  refuse(where: string, feature: string, reason: string): void
  readonly all: readonly FeatureReport[]
}

export function createFeatures(): Features {
  const all: FeatureReport[] = []
  const add = (row: FeatureReport): void => {
    const isKnown = all.some((other) => JSON.stringify(other) === JSON.stringify(row))
    if (!isKnown) all.push(row)
  }
  return {
    all,
    exact: (where, feature) => add({ feature, where, class: 'exact', says: '' }),
    approximate: (where, feature, says) => add({ feature, where, class: 'approximate', says }),
    refuse: (where, feature, says) => add({ feature, where, class: 'refused', says }),
  }
}
