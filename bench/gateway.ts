/**
 * The claim: an authenticated, scoped, proxied request costs our gateway at most 1.2 times the CPU it costs HAProxy
 * with the same checks. CPU time per request is compared, not throughput: on a shared machine throughput measures who
 * else is busy. Windows of both alternate, in reversed order each round, so that what disturbs one disturbs the other.
 *
 *   node bench/gateway.ts [windows]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import {
  type Contestant,
  cpuMicroseconds,
  freePort,
  missingTool,
  startHaproxy,
  startNode,
  untilListening,
} from './gateway/contestants.ts'
import { startIssuer } from './gateway/issuer.ts'
import { deviations, probes } from './gateway/probes.ts'

const audience = 'https://api.example.test'
const goal = 1.2
const seconds = 2
const warmUpRequests = 30_000
const measuredCpu = 0
const loadCpu = 1
const windows = Math.max(7, Number(process.argv[2] ?? 9))

interface Window {
  readonly requests: number
  readonly microseconds: number
  readonly rate: number
  readonly p99: string
}

const missing = missingTool()
if (missing !== null) {
  console.error(missing)
  process.exit(1)
}

const directory = mkdtempSync(path.join(tmpdir(), 'gateway-bench-'))
const children: ChildProcess[] = []
const started = (child: ChildProcess): ChildProcess => {
  children.push(child)
  return child
}
const [issuerPort = 0, upstreamPort = 0, gatewayPort = 0, haproxyPort = 0] = await Promise.all(
  [1, 2, 3, 4].map(freePort),
)
const issuer = await startIssuer(directory, issuerPort, audience)

try {
  started(await startNode('upstream.ts', loadCpu, [String(upstreamPort)]))
  const facts = [gatewayPort, upstreamPort, issuer.url, audience].map(String)
  const gateway = started(await startNode('server.ts', measuredCpu, facts))
  const values = { port: String(haproxyPort), upstream: String(upstreamPort), issuer: issuer.url, audience }
  const haproxy = started(startHaproxy(directory, measuredCpu, { ...values, ...issuer.pemFiles }))
  await untilListening(haproxyPort)
  const contestants: readonly Contestant[] = [
    { name: 'gateway', port: gatewayPort, pid: gateway.pid! },
    { name: 'haproxy', port: haproxyPort, pid: haproxy.pid! },
  ]
  await checkBehaviour(contestants)
  report(contestants, await measure(contestants))
} finally {
  for (const child of children) child.kill('SIGKILL')
  issuer.close()
  rmSync(directory, { recursive: true, force: true })
}

async function checkBehaviour(contestants: readonly Contestant[]): Promise<void> {
  const table = probes(issuer, audience)
  for (const { name, port } of contestants) {
    const found = await deviations(port, table)
    if (found.length > 0) throw new Error(`${name} does not behave as the table says:\n${found.join('\n')}`)
    console.log(`${name}: ${table.length} of ${table.length} behaviour rows as expected`)
  }
}

async function measure(contestants: readonly Contestant[]): Promise<Map<string, Window[]>> {
  const token = issuer.mint({ scope: 'openid profile read:todos write:other' })
  const results = new Map<string, Window[]>(contestants.map(({ name }) => [name, []]))
  console.log(`token ${token.length} bytes, 32 connections, ${windows} windows of ${seconds} s, load ${load()}`)
  // Until the compiler has settled: its threads' time would be counted as the gateway's.
  for (const contestant of contestants) {
    for (let requests = 0; requests < warmUpRequests; ) requests += (await runWindow(contestant, token)).requests
  }
  for (let round = 0; round < windows; round++) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      results.get(contestant.name)!.push(await runWindow(contestant, token))
    }
  }
  return results
}

async function runWindow({ name, port, pid }: Contestant, token: string): Promise<Window> {
  const before = cpuMicroseconds(pid)
  const output = await wrk(port, token)
  const spent = cpuMicroseconds(pid) - before
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0)
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0)
  const p99 = /^\s+99%\s+(\S+)/m.exec(output)?.[1] ?? '?'
  if (requests === 0 || /Non-2xx|Socket errors/.test(output)) throw new Error(`a window of ${name} failed:\n${output}`)
  return { requests, microseconds: spent / requests, rate, p99 }
}

function wrk(port: number, token: string): Promise<string> {
  const options = ['-t1', '-c32', `-d${seconds}s`, '--latency', '-H', `authorization: Bearer ${token}`]
  const child = spawn('taskset', ['-c', String(loadCpu), 'wrk', ...options, `http://127.0.0.1:${port}/todos`])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(output))
  })
}

function report(contestants: readonly Contestant[], results: ReadonlyMap<string, readonly Window[]>): void {
  console.log(
    `\nload ${load()}\n\nwindow  ${contestants.map(({ name }) => `${name} µs/req (req/s, p99)`.padEnd(34)).join('')}`,
  )
  for (let i = 0; i < windows; i++) {
    const cells = contestants.map(({ name }) => {
      const { microseconds, rate, p99 } = results.get(name)![i]!
      return `${microseconds.toFixed(1)} (${rate.toFixed(0)}, ${p99})`.padEnd(34)
    })
    console.log(`${String(i + 1).padEnd(8)}${cells.join('')}`)
  }
  const of = (name: string): number[] => results.get(name)!.map(({ microseconds }) => microseconds)
  const [ours, theirs] = [of('gateway'), of('haproxy')]
  const summary = {
    bench: 'gateway',
    unit: 'CPU µs per request',
    gateway: { median: round(median(ours)), min: round(Math.min(...ours)) },
    haproxy: { median: round(median(theirs)), min: round(Math.min(...theirs)) },
    ratio: { median: round(median(ours) / median(theirs)), min: round(Math.min(...ours) / Math.min(...theirs)) },
    goal,
    windows,
    load: load(),
  }
  console.log(`\ngateway ÷ haproxy: ${summary.ratio.median} by medians, ${summary.ratio.min} by minima; goal ${goal}`)
  console.log(JSON.stringify(summary))
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')
}
