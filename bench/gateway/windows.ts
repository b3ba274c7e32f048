/** Windows of load, alternating between the contestants in reversed order each round, and what they cost. */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import path from 'node:path'
import { type Contestant, cpuMicroseconds } from './contestants.ts'
import type { Pace } from './paced.ts'

export interface Window {
  readonly requests: number
  readonly microseconds: number
  readonly rate: number
  readonly p99: string
}

/** What is asked for in a window: one token over and over, or a file of them in turn. */
export interface Traffic {
  readonly headers: readonly string[]
  readonly script?: { readonly tokens: string; readonly routes: number }
}

export const loadCpu = 1
export const seconds = 2
const warmUpRequests = 30_000
// Where the next window goes on: each one begins anew otherwise, and never sees most of the tokens.
const offsets = new Map<string, number>()

export async function runWindow({ name, port, pid }: Contestant, traffic: Traffic): Promise<Window> {
  const before = cpuMicroseconds(pid)
  const output = await wrk(name, port, traffic)
  const spent = cpuMicroseconds(pid) - before
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0)
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0)
  const p99 = /^\s+99%\s+(\S+)/m.exec(output)?.[1] ?? '?'
  if (requests === 0 || /Non-2xx|Socket errors/.test(output)) throw new Error(`a window of ${name} failed:\n${output}`)
  offsets.set(name, (offsets.get(name) ?? 0) + requests)
  return { requests, microseconds: spent / requests, rate, p99 }
}

export interface Latency {
  readonly p50: number
  readonly p99: number
}

/** Asks at a fixed rate for a while. */
export async function pace(pace: Pace): Promise<Latency> {
  const pinned = { execPath: 'taskset', execArgv: ['-c', String(loadCpu), process.execPath] }
  const child = fork(path.join(import.meta.dirname, 'paced.ts'), [JSON.stringify(pace)], pinned)
  const [latency] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the load ended before it had measured'))),
  ])) as [Latency]
  return latency
}

/**
 * Warms up and measures.
 * @param warmUp requests before the first window: until the compiler has settled, whose threads would be counted too
 */
export async function measure(
  contestants: readonly Contestant[],
  windows: number,
  trafficOf: (contestant: Contestant) => Traffic,
  warmUp: (contestant: Contestant) => number = () => warmUpRequests,
): Promise<ReadonlyMap<string, readonly Window[]>> {
  const results = new Map<string, Window[]>(contestants.map(({ name }) => [name, []]))
  console.log(`32 connections, ${windows} windows of ${seconds} s, load ${load()}`)
  for (const contestant of contestants) {
    const enough = warmUp(contestant)
    for (let requests = 0; requests < enough; )
      requests += (await runWindow(contestant, trafficOf(contestant))).requests
  }
  for (let round = 0; round < windows; round++) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      results.get(contestant.name)!.push(await runWindow(contestant, trafficOf(contestant)))
    }
  }
  console.log(`load ${load()}\n\nCPU µs per request (requests/s, p99)`)
  const width = 28
  console.log(`window  ${contestants.map(({ name }) => name.padEnd(width)).join('')}`)
  for (let i = 0; i < windows; i++) {
    const cells = contestants.map(({ name }) => {
      const { microseconds, rate, p99 } = results.get(name)![i]!
      return `${microseconds.toFixed(1)} (${rate.toFixed(0)}, ${p99})`.padEnd(width)
    })
    console.log(`${String(i + 1).padEnd(8)}${cells.join('')}`)
  }
  return results
}

function wrk(name: string, port: number, { headers, script }: Traffic): Promise<string> {
  const options = ['-t1', '-c32', `-d${seconds}s`, '--latency', ...headers.flatMap((header) => ['-H', header])]
  if (script !== undefined) options.push('-s', path.join(import.meta.dirname, 'rotate.lua'))
  const env =
    script === undefined
      ? process.env
      : {
          ...process.env,
          TOKENS: script.tokens,
          ROUTES: String(script.routes),
          OFFSET: String(offsets.get(name) ?? 0),
        }
  const command = ['-c', String(loadCpu), 'wrk', ...options, `http://127.0.0.1:${port}/todos`]
  const child = spawn('taskset', command, { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(output))
  })
}

export interface Figure {
  readonly median: number
  readonly min: number
  /** Window by window; absent where it is made of several. */
  readonly windows?: readonly number[]
}

/**
 * Prints a ratio beside the figures it is made of. What counts is the median of the windows' ratios, because two windows
 * that follow each other share what disturbs the machine; without windows, the ratio of the medians.
 */
export function reportRatio(claim: string, ours: Figure, theirs: Figure, goal: number): object {
  const ratio = { median: round(ours.median / theirs.median), min: round(ours.min / theirs.min) }
  const pairs = ours.windows?.map((value, i) => value / theirs.windows![i]!)
  const counts = pairs === undefined ? ratio.median : round(median(pairs))
  const verdict = counts <= goal ? 'met' : 'MISSED'
  console.log(
    `${claim}: ${pairs === undefined ? '' : `${counts} by windows, `}` +
      `${ratio.median} by medians (${ours.median} ÷ ${theirs.median}), ` +
      `${ratio.min} by minima (${ours.min} ÷ ${theirs.min}); goal ${goal}: ${verdict}`,
  )
  const shown = ({ median, min }: Figure): object => ({ median, min })
  return { claim, ours: shown(ours), theirs: shown(theirs), ratio: { windows: counts, ...ratio }, goal }
}

export function figure(values: readonly number[]): Figure {
  return { median: round(median(values)), min: round(Math.min(...values)), windows: values }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const round = (value: number): number => Math.round(value * 100) / 100

export const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')
