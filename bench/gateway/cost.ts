/** CPU time per request, against HAProxy and against Fastify with its own plugins. */
import { type Arena, audience } from './arena.ts'
import type { Contestant } from './contestants.ts'
import { deviations, probes } from './probes.ts'
import { figure, measure, reportRatio } from './windows.ts'

export async function compareCost(arena: Arena, windows: number): Promise<object> {
  const gateway = await arena.gateway('gateway')
  const bare = await arena.gateway('bare', { isBare: true, logFile: null })
  const haproxy = await arena.haproxy('haproxy')
  const plain = await arena.haproxy('haproxy-plain')
  const fastify = await arena.fastify('fastify', { cache: false })
  const remembering = await arena.fastify('fastify-cache', { cache: true })
  const table = probes(arena.issuer, audience)
  const rough = table.filter(({ isFine }) => isFine !== true)
  await checkBehaviour(gateway, table)
  await checkBehaviour(haproxy, table)
  await checkBehaviour(fastify, rough)
  await checkBehaviour(remembering, rough)

  const token = arena.issuer.mint({ scope: 'openid profile read:todos write:other' })
  console.log(`one token of ${token.length} bytes; "bare": the gateway without claim headers, limits and log`)
  const traffic = { headers: [`authorization: Bearer ${token}`] }
  const results = await measure([gateway, bare, haproxy, plain, fastify, remembering], windows, () => traffic)
  const of = ({ name }: Contestant) => figure(results.get(name)!.map(({ microseconds }) => microseconds))
  return [
    reportRatio('gateway ÷ HAProxy doing the same', of(gateway), of(haproxy), 0.6),
    reportRatio('gateway ÷ HAProxy that only proxies', of(gateway), of(plain), 2),
    reportRatio('gateway ÷ Fastify and its plugins', of(gateway), of(fastify), 0.25),
    reportRatio('gateway ÷ Fastify told to remember tokens', of(gateway), of(remembering), 0.25),
    reportRatio('gateway ÷ itself without claim headers, limits and log', of(gateway), of(bare), 1.2),
  ]
}

async function checkBehaviour({ name, port }: Contestant, table: ReturnType<typeof probes>): Promise<void> {
  const found = await deviations(port, table)
  if (found.length > 0) throw new Error(`${name} does not behave as the table says:\n${found.join('\n')}`)
  console.log(`${name}: ${table.length} of ${table.length} behaviour rows as expected`)
}
