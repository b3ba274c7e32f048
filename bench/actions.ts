/**
 * Claim: what an Action does not name costs it nothing.
 *
 * Warm runs of one Action in turn: a plain one, one that names a module, one that calls a server of this machine. The ratio is
 * to the plain one in the same round; what is loaded for the next run is loaded between two runs, so its cost is in the CPU of
 * the runner and hardly in the time of the run.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg } from 'node:os'
import { createActionRunner } from '@tenantry/identity/actions/runner.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'

const ROUNDS = 9
const RUNS = 60
const quiet = { warn() {}, error() {} }
const server = createServer((_request, response) => response.end('{"plan":"gold"}')).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const handler = (top: string, body: string) =>
  `${top}\nexports.onExecutePostLogin = async (event, api) => { ${body}; api.idToken.setCustomClaim('https://tenantId', event.organization.metadata.tenantId) }`
const codes: Record<string, string> = {
  plain: handler('', ''),
  URL: handler('', `new URL('https://a.example/x?y=1')`),
  crypto: handler(
    `const crypto = require('crypto')`,
    `crypto.createHmac('sha256', 'key').update('text').digest('hex')`,
  ),
  lodash: handler(`const _ = require('lodash')`, `_.get(event, 'organization.metadata')`),
  jsonwebtoken: handler(`const jwt = require('jsonwebtoken')`, `jwt.sign({ a: 1 }, 'secret')`),
  fetch: handler('', `await (await fetch('${base}')).json()`),
  axios: handler(`const axios = require('axios')`, `await axios.get('${base}')`),
}

const runners = new Map<string, ReturnType<typeof createActionRunner>>()
const egress = createEgress({ allow: ['127.0.0.0/8'] })
const event = { organization: { metadata: { tenantId: 'tenant-7' } } }

async function run(name: string): Promise<number> {
  const action = { actionId: name, versionId: name, name, code: codes[name]!, secrets: {} }
  const began = performance.now()
  const outcome = await runners.get(name)!.run({ trigger: 'post-login', environmentId: 'e', actions: [action], event })
  if (!outcome.ok) throw new Error(outcome.detail)
  return performance.now() - began
}

/** Milliseconds of CPU of a runner process, from the kernel's ticks of 10 ms. */
function cpuOf(name: string): number {
  const [pid] = runners.get(name)!.pids()
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const times: Record<string, number[]> = {}
const cpu: Record<string, number[]> = {}
console.log(`load ${loadavg()[0]!.toFixed(1)}, ${ROUNDS} rounds of ${RUNS} runs`)
for (const name of Object.keys(codes)) {
  runners.set(name, createActionRunner({ logger: quiet, egress, processes: 1 }))
  times[name] = []
  cpu[name] = []
  const first = await run(name)
  for (let warm = 0; warm < 20; warm++) await run(name)
  console.log(`${name.padEnd(13)} first run, with the start of a process ${first.toFixed(0)} ms`)
}
for (let round = 0; round < ROUNDS; round++) {
  for (const name of Object.keys(codes)) {
    const before = cpuOf(name)
    const round: number[] = []
    for (let n = 0; n < RUNS; n++) round.push(await run(name))
    times[name]!.push(median(round))
    cpu[name]!.push((cpuOf(name) - before) / RUNS)
  }
}
for (const name of Object.keys(codes)) {
  const [ms, spent] = [median(times[name]!), median(cpu[name]!)]
  const ratio = median(cpu[name]!.map((value, round) => value / cpu.plain![round]!))
  console.log(
    `${name.padEnd(13)} run ${ms.toFixed(2)} ms, CPU of the runner ${spent.toFixed(2)} ms, ${ratio.toFixed(1)} times a plain one`,
  )
}
await Promise.all([...runners.values()].map((runner) => runner.close()))
server.close()
