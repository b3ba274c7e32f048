/**
 * What an Action may use beyond the language, in parts that are loaded into its world only when its code names them: a
 * plain Action costs what it did before. Each part is a file of `guest/`, bundled with what it is made of.
 */

export interface Part {
  readonly name: string
  /** Globals by which code asks for it. */
  readonly words?: readonly string[]
  /** What `require` calls it. */
  readonly modules?: readonly string[]
  /** For packages of npm: the versions whose documented use is the same as that of the one that is here. */
  readonly majors?: readonly number[]
  /** Parts that it is built on. */
  readonly needs?: readonly string[]
}

/** In the order in which they are loaded. */
export const parts: readonly Part[] = [
  {
    name: 'encoding',
    words: ['TextEncoder', 'TextDecoder', 'atob', 'btoa', 'structuredClone'],
    modules: ['util'],
  },
  { name: 'buffer', words: ['Buffer'], modules: ['buffer'], needs: ['encoding'] },
  { name: 'url', words: ['URL', 'URLSearchParams'], modules: ['url'], needs: ['encoding'] },
  { name: 'querystring', modules: ['querystring'] },
  { name: 'crypto', words: ['crypto'], modules: ['crypto'], needs: ['encoding', 'buffer'] },
  {
    name: 'fetch',
    words: ['fetch', 'Headers', 'Request', 'Response', 'AbortController', 'AbortSignal', 'DOMException'],
    needs: ['encoding', 'url'],
  },
  { name: 'node-fetch', modules: ['node-fetch'], majors: [2, 3], needs: ['fetch', 'buffer'] },
  { name: 'axios', modules: ['axios'], majors: [1], needs: ['fetch', 'buffer'] },
  { name: 'lodash', modules: ['lodash'], majors: [4] },
  { name: 'uuid', modules: ['uuid'], majors: [8, 9, 10, 11, 12, 13, 14], needs: ['crypto'] },
  { name: 'jsonwebtoken', modules: ['jsonwebtoken'], majors: [8, 9], needs: ['crypto'] },
]

const named = new Map(parts.map((part) => [part.name, part]))

/** Everything that `require` knows, for whoever asks for something else. */
export const moduleNames: readonly string[] = parts.flatMap(({ modules = [] }) => modules).sort()

/** Packages of npm among them; the others belong to Node.js, and no version of theirs is asked for. */
export const packages: ReadonlyMap<string, readonly number[]> = new Map(
  parts.flatMap(({ modules = [], majors }) => (majors ? modules.map((name) => [name, majors] as const) : [])),
)

// Lookarounds instead of \b: `$fetch` and `fetch$` are other names.
const mentions = parts.flatMap(({ name, words = [], modules = [] }) => [
  ...words.map((text) => ({ name, text, pattern: new RegExp(`(?<![\\w$])${text}(?![\\w$])`) })),
  ...modules.map((text) => ({ name, text, pattern: new RegExp(`['"\`](?:node:)?${text}(?:/[\\w./-]*)?['"\`]`) })),
])

/**
 * The parts that code may need, in the order of loading. It is looked for by name, also in comments and texts: one too
 * many costs a moment, and what is only put together at run time (`require(name)`) is told that it is not there.
 */
export function partsOf(code: string): string[] {
  const wanted = new Set<string>()
  const add = (name: string): void => {
    if (wanted.has(name)) return
    wanted.add(name)
    for (const other of named.get(name)?.needs ?? []) add(other)
  }
  // A plain search says no more quickly than a pattern.
  for (const { name, text, pattern } of mentions) if (code.includes(text) && pattern.test(code)) add(name)
  return parts.filter(({ name }) => wanted.has(name)).map(({ name }) => name)
}
