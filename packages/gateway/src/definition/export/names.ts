/**
 * Names that another format allows, one for each of ours and no two alike. Names that need no change keep theirs,
 * whatever the others become.
 *
 * @param write what a name becomes before it is made unique
 * @param taken names that are there already
 */
export function uniqueNames(
  names: Iterable<string>,
  write: (name: string) => string,
  taken: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const all = [...new Set(names)]
  const used = new Set(taken)
  const found = new Map<string, string>()
  for (const name of all.toSorted((a, b) => Number(write(a) !== a) - Number(write(b) !== b))) {
    const base = write(name) || 'Unnamed'
    let unique = base
    for (let i = 2; used.has(unique); i++) unique = `${base}${i}`
    used.add(unique)
    found.set(name, unique)
  }
  return found
}

/** The object without members that are absent or empty. */
export const given = (object: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => !isNothing(value)))

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0)
