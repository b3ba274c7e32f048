/** Whether many tenants, routes and tokens cost more per request than one of each, and whether memory stays flat. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import type { Arena } from './arena.ts'
import type { Contestant } from './contestants.ts'
import { figure, load, measure, reportRatio, round, runWindow, type Traffic } from './windows.ts'

const tokens = 100_000
const tenants = 10_000
// Four more are in every definition, and 300 are what AWS lets an API have.
const routes = 296
const requestsInAll = 1_000_000

export async function compareScale(arena: Arena, windows: number): Promise<object> {
  const many = await mintAll(arena)
  const one = path.join(arena.directory, 'one.txt')
  await writeTokens(one, [arena.issuer.mint({ scope: 'openid profile read:todos write:other' })])
  const small = await arena.gateway('small')
  const large = await arena.gateway('large', { routes })
  const trafficOf = (contestant: Contestant): Traffic =>
    contestant === small
      ? { headers: [], script: { tokens: one, routes: 0 } }
      : { headers: [], script: { tokens: many, routes } }
  console.log(`small: 1 token, 4 routes; large: ${tokens} tokens in turn, ${tenants} tenants, ${routes + 4} routes`)
  const results = await measure([small, large], windows, trafficOf, (each) => (each === small ? 30_000 : tokens))
  const of = ({ name }: Contestant) => figure(results.get(name)!.map(({ microseconds }) => microseconds))
  for (const each of [small, large]) console.log(`${each.name}: ${await memory(each)}`)
  return reportRatio('many tokens, tenants and routes ÷ one of each', of(large), of(small), 1.2)
}

/** Of both only a long run tells: each request may leave a little behind, or cost a little more than the one before. */
export async function watchMemory(arena: Arena): Promise<object> {
  const traffic: Traffic = { headers: [], script: { tokens: await mintAll(arena), routes } }
  const gateway = await arena.gateway('gateway', { routes })
  console.log(`${requestsInAll} requests, ${tokens} tokens in turn, the default tokenCacheBytes, load ${load()}`)
  const seen: { rssMiB: number; microseconds: number }[] = []
  for (let requests = 0, next = tokens; requests < requestsInAll; ) {
    const window = await runWindow(gateway, traffic)
    requests += window.requests
    if (requests < next) continue
    next += tokens
    const { rss } = await usageOf(gateway)
    seen.push({ rssMiB: round(rss / 2 ** 20), microseconds: round(window.microseconds) })
    console.log(`after ${requests} requests: ${await memory(gateway)}, ${round(window.microseconds)} µs of CPU each`)
  }
  const grown = (of: 'rssMiB' | 'microseconds') => round(seen.at(-1)![of] / seen[0]![of])
  return { seen, memoryGrown: grown('rssMiB'), costGrown: grown('microseconds') }
}

async function usageOf({ child }: Contestant): Promise<NodeJS.MemoryUsage> {
  child.send('memory')
  const [usage] = (await once(child, 'message')) as [NodeJS.MemoryUsage]
  return usage
}

async function memory(contestant: Contestant): Promise<string> {
  const { rss, heapUsed } = await usageOf(contestant)
  return `${Math.round(rss / 2 ** 20)} MiB resident, ${Math.round(heapUsed / 2 ** 20)} MiB of heap in use`
}

async function mintAll({ directory, issuer }: Arena): Promise<string> {
  const file = path.join(directory, 'tokens.txt')
  console.log(`signing ${tokens} tokens`)
  const texts: string[] = []
  const mintNext = async (): Promise<void> => {
    while (texts.length < tokens) {
      const n = texts.push('') - 1
      const tenant = `org_${String(n % tenants).padStart(16, '0')}`
      const scope = 'openid profile read:todos write:other'
      texts[n] = await issuer.mintAside({
        scope,
        sub: `auth0|${n}`,
        org_id: tenant,
        plan: n % 2 === 0 ? 'pro' : 'free',
      })
    }
  }
  await Promise.all(Array.from({ length: 8 }, mintNext))
  await writeTokens(file, texts)
  return file
}

async function writeTokens(file: string, texts: readonly string[]): Promise<void> {
  const out = createWriteStream(file)
  for (const text of texts) if (!out.write(`${text}\n`)) await once(out, 'drain')
  out.end()
  await once(out, 'close')
}
