/**
 * Claim: a file of 100,000 users with password hashes is imported in minutes, in memory that does not grow with it, and
 * exported again likewise.
 *
 * One process uploads the file through the API, runs the job and the export, on an embedded PostgreSQL of its own. Peak
 * memory is this process's resident set, sampled throughout, with the server and the client in it; a file a tenth of the
 * size in the same run tells whether it grows. The database shares the machine's cores.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { loadavg } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createOutbox } from '@tenantry/identity/delivery/outbox.ts'
import { createTenantLog } from '@tenantry/identity/logs/tenant-log.ts'
import { runDueJobs } from '@tenantry/identity/resources/jobs/worker.ts'
import { startIdentity } from '@tenantry/identity/testing.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { openScratchDatabase } from './identity/scratch-database.ts'

const USERS = 100_000
const TARGET_SECONDS = 180
const TARGET_GROWTH_MB = 150

const scratch = await openScratchDatabase()
const identity = await startIdentity({ urls: scratch.urls })
const { database, secrets, clock } = identity
const logger = createLogger({ level: 'silent' })
const deps = {
  database,
  secrets,
  clock,
  logger,
  tenantLog: createTenantLog({ database, clock, logger }),
  outbox: createOutbox({ secrets, clock, mail: { kind: 'mailbox' } }),
}

let peak = 0
const sampler = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss())
}, 20)

const rows = [await measure(USERS / 10), await measure(USERS)]
clearInterval(sampler)
console.table(rows)
const [small, large] = [rows[0]!, rows[1]!]
const growth = large.peakMB - small.peakMB
console.log(
  JSON.stringify({
    claim: 'users imported per second, and memory beside a file of a tenth',
    usersPerSecond: large.usersPerSecond,
    seconds: large.importSeconds,
    exportSeconds: large.exportSeconds,
    fileMB: large.fileMB,
    peakMB: large.peakMB,
    growthMB: growth,
    target: `<= ${TARGET_SECONDS} s, growth <= ${TARGET_GROWTH_MB} MB`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    node: process.version,
  }),
)
console.log(large.importSeconds <= TARGET_SECONDS && growth <= TARGET_GROWTH_MB ? 'met' : 'MISSED')
await identity.close()
await scratch.stop()

async function measure(users: number) {
  globalThis.gc?.()
  peak = 0
  const env = await identity.environment()
  const connection_id = (await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0' })).json.id
  const started = performance.now()
  const { job, bytes } = await send(env.origin, await env.managementToken(), connection_id, users)
  const uploaded = performance.now()
  await runDueJobs(deps)
  const imported = performance.now()
  const { summary } = (await env.manage('GET', `/jobs/${job}`)).json
  if (summary.inserted !== users) throw new Error(JSON.stringify(summary))
  await env.manage('POST', '/jobs/users-exports', { format: 'csv' })
  await runDueJobs(deps)
  const exported = performance.now()
  const seconds = (from: number, to: number) => Number(((to - from) / 1000).toFixed(1))
  return {
    users,
    fileMB: Math.round(bytes / 1_000_000),
    uploadSeconds: seconds(started, uploaded),
    importSeconds: seconds(uploaded, imported),
    usersPerSecond: Math.round((users * 1000) / (imported - uploaded)),
    exportSeconds: seconds(imported, exported),
    peakMB: Math.round(peak / 1_000_000),
  }
}

/** Sends a file that is made while it is sent. */
async function send(origin: string, token: string, connectionId: string, users: number) {
  const boundary = randomUUID()
  let bytes = 0
  function* parts() {
    const open = (name: string, rest = '') =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${rest}\r\n\r\n`
    yield `${open('connection_id')}${connectionId}\r\n${open('users', '; filename="users.json"')}[`
    for (let index = 0; index < users; index++) {
      const row = JSON.stringify({
        email: `user${index}@example.test`,
        email_verified: index % 2 === 0,
        given_name: 'Anna',
        family_name: `Reed ${index}`,
        user_metadata: { note: 'x'.repeat(300), index },
        app_metadata: { plan: 'pro' },
        password_hash: `$2b$10$${randomBytes(40).toString('hex').slice(0, 53)}`,
      })
      bytes += row.length + 1
      yield `${index > 0 ? ',' : ''}${row}`
    }
    yield `]\r\n--${boundary}--\r\n`
  }
  const answered = Promise.withResolvers<string>()
  const { host, port } = new URL(origin)
  const outgoing = request(
    {
      method: 'POST',
      host: '127.0.0.1',
      port,
      path: '/api/v2/jobs/users-imports',
      headers: { host, authorization: `Bearer ${token}`, 'content-type': `multipart/form-data; boundary=${boundary}` },
    },
    async (response) => answered.resolve(Buffer.concat(await response.toArray()).toString()),
  )
  await pipeline(Readable.from(parts()), outgoing)
  return { job: JSON.parse(await answered.promise).id as string, bytes }
}
