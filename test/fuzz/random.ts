/** Random choices that a seed repeats. */
export interface Random {
  /** 0 to `below` - 1. */
  int(below: number): number
  pick<T>(list: readonly T[]): T
  /** True once in `n` times. */
  once(n: number): boolean
}

/** Mulberry32: 32 bits of state are enough for choices, and any failure is repeated by its seed. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const int = (below: number): number => next() % below
  return { int, pick: (list) => list[int(list.length)]!, once: (n) => int(n) === 0 }
}
