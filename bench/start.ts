/**
 * Claim: a second start is ready within 3 seconds.
 *
 * Measured from the spawn of `node scripts/start.mjs` (what `npm start` runs, set-up checks included) to its ready line,
 * on a data directory that holds a finished installation, and again to the end after SIGTERM. The first start, which
 * creates the database, is printed for comparison. A start is bound by processes that start, so it scales with load.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROUNDS = 5
const TARGET_SECONDS = 3
const script = fileURLToPath(new URL('../scripts/start.mjs', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'))

async function run(): Promise<{ ready: number; stopped: number }> {
  const started = performance.now()
  const child = spawn(process.execPath, [script, '--json'], {
    env: {
      ...process.env,
      TENANTRY_DATA: directory,
      TENANTRY_HTTP_PORT: '24000',
      TENANTRY_HTTPS_PORT: '24001',
      TENANTRY_GATEWAY_PORT: '24002',
      TENANTRY_CONTROL_PLANE_PORT: '24010',
      TENANTRY_APP_PORT: '24003',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => line.startsWith('{') && resolve())
    child.once('exit', (code) => reject(new Error(`The start ended with code ${code}.`)))
  })
  const ready = performance.now()
  child.kill('SIGTERM')
  await ended
  return { ready: (ready - started) / 1000, stopped: (performance.now() - ready) / 1000 }
}

const first = await run()
const rows: { ready: number; stopped: number }[] = []
for (let round = 0; round < ROUNDS; round++) rows.push(await run())
rmSync(directory, { recursive: true, force: true })

console.table(rows.map(({ ready, stopped }) => ({ ready: ready.toFixed(2), stopped: stopped.toFixed(2) })))
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const seconds = Number(median(rows.map(({ ready }) => ready)).toFixed(2))
console.log(
  JSON.stringify({
    claim: 'seconds from npm start to ready, second start',
    seconds,
    firstStartSeconds: Number(first.ready.toFixed(2)),
    stopSeconds: Number(median(rows.map(({ stopped }) => stopped)).toFixed(2)),
    target: `<= ${TARGET_SECONDS}`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
  }),
)
console.log(seconds <= TARGET_SECONDS ? 'met' : 'MISSED')
