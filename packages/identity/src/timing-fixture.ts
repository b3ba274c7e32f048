/** What a stranger with a stopwatch could learn. */

/**
 * How often the first of two is the slower one, out of so many samples of each, in turns: a half where nobody can tell them
 * apart. It is the statistic of Mann and Whitney, which neither outliers nor a busy machine shift, as both meet them alike.
 */
export async function slower(
  samples: number,
  first: () => Promise<void>,
  second: () => Promise<void>,
): Promise<number> {
  const took = async (ask: () => Promise<void>) => {
    const from = performance.now()
    await ask()
    return performance.now() - from
  }
  const times: { time: number; isFirst: boolean }[] = []
  for (let n = 0; n < samples; n++) {
    // Whoever comes second finds what the other one left: they take turns at that, too.
    for (const isFirst of n % 2 === 0 ? [true, false] : [false, true]) {
      times.push({ time: await took(isFirst ? first : second), isFirst })
    }
  }
  times.sort((a, b) => a.time - b.time)
  const ranks = times.reduce((sum, { isFirst }, rank) => sum + (isFirst ? rank + 1 : 0), 0)
  return (ranks - (samples * (samples + 1)) / 2) / samples ** 2
}
