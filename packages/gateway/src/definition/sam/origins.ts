import type { Source } from '../report.ts'

/** From the pointer of something generated to the pointer of what it was made from. */
export type Origins = Map<string, string>

/**
 * The source of a rewritten document: places of what was generated lead to what was written.
 *
 * @param files that were taken in, by the pointer where their content stands now
 */
export function withOrigins(source: Source, origins: Origins, files: ReadonlyMap<string, Source>): Source {
  const longest = (at: string, pointers: Iterable<string>): string | undefined =>
    [...pointers].filter((p) => at === p || at.startsWith(`${p}/`)).sort((a, b) => b.length - a.length)[0]
  return {
    file: source.file,
    locate: (at) => {
      const made = longest(at, origins.keys()) ?? ''
      const taken = longest(at, files.keys()) ?? ''
      if (taken.length > made.length) return files.get(taken)!.locate(`#${at.slice(taken.length)}`)
      return source.locate(made === '' ? at : origins.get(made)! + at.slice(made.length))
    },
  }
}
