/** What a contestant adds to the latency of an upstream at half of saturation, against HAProxy. */
import type { Arena } from './arena.ts'
import type { Contestant } from './contestants.ts'
import { figure, type Latency, load, measure, median, pace, reportRatio, round, seconds } from './windows.ts'

export async function compareLatency(arena: Arena, windows: number): Promise<object> {
  const contestants = [await arena.gateway('gateway'), await arena.haproxy('haproxy')]
  const [gateway, haproxy] = contestants as [Contestant, Contestant]
  const token = arena.issuer.mint({ scope: 'openid profile read:todos write:other' })
  const full = await measure(contestants, windows, () => ({ headers: [`authorization: Bearer ${token}`] }))
  const saturation = contestants.map(({ name }) => median(full.get(name)!.map(({ rate }) => rate)))
  // One rate for both, or the faster one would be asked for more.
  const perSecond = Math.floor(Math.min(...saturation) / 2)
  console.log(`\nat ${perSecond} requests/s, half of what the slower one carries; p50 / p99 in ms, load ${load()}`)
  const ports = new Map([['direct', arena.upstreamPort], ...contestants.map(({ name, port }) => [name, port] as const)])
  const found = new Map<string, Latency[]>([...ports.keys()].map((name) => [name, []]))
  for (let turn = 0; turn < windows; turn++) {
    for (const [name, port] of turn % 2 === 0 ? [...ports] : [...ports].toReversed()) {
      found.get(name)!.push(await pace({ port, token, perSecond, seconds }))
    }
  }
  for (const [name, list] of found) {
    console.log(`${name.padEnd(10)}${list.map(({ p50, p99 }) => `${round(p50)}/${round(p99)}`.padEnd(14)).join('')}`)
  }
  const p99 = (name: string) => figure(found.get(name)!.map((each) => each.p99))
  const direct = p99('direct')
  const added = ({ name }: Contestant) => ({
    median: round(p99(name).median - direct.median),
    min: round(p99(name).min - direct.min),
  })
  return [reportRatio('latency added at p99 ÷ what HAProxy adds, in ms', added(gateway), added(haproxy), 1.5)]
}
