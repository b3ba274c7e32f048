/** What tests of jobs stand on: a form with a file, and a worker that runs what is due. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { get } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createOutbox } from '../../delivery/outbox.ts'
import { createTenantLog } from '../../logs/tenant-log.ts'
import type { Answer, TestEnvironment, TestIdentity } from '../../testing.ts'
import { runDueJobs } from './worker.ts'

export interface Part {
  name: string
  value: string | Buffer
  file?: string
}

export function multipart(parts: Part[]): { headers: Record<string, string>; body: Buffer } {
  const boundary = randomUUID()
  const pieces = parts.flatMap(({ name, value, file }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${
        file === undefined ? '' : `; filename="${file}"\r\ncontent-type: application/json`
      }\r\n\r\n`,
    ),
    Buffer.from(value as string),
    Buffer.from('\r\n'),
  ])
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  }
}

export async function sendParts(env: TestEnvironment, parts: Part[]): Promise<Answer> {
  const { headers, body } = multipart(parts)
  const authorization = `Bearer ${await env.managementToken()}`
  return env.request('/api/v2/jobs/users-imports', { method: 'POST', headers: { ...headers, authorization }, body })
}

/** Sends a file the way Auth0's SDK does: the file first. */
export const upload = (
  env: TestEnvironment,
  users: unknown[] | string | Buffer,
  fields: Record<string, string>,
): Promise<Answer> =>
  sendParts(env, [
    { name: 'users', value: Array.isArray(users) ? JSON.stringify(users) : users, file: 'users.json' },
    ...Object.entries(fields).map(([name, value]) => ({ name, value })),
  ])

export async function people(env: TestEnvironment, name = 'people'): Promise<string> {
  const { status, json, text } = await env.manage('POST', '/connections', { name, strategy: 'auth0' })
  assert.equal(status, 201, text)
  return json.id
}

const logger = createLogger({ level: 'silent' })

export const workerOf = ({ database, secrets, clock }: TestIdentity) => ({
  database,
  secrets,
  clock,
  logger,
  tenantLog: createTenantLog({ database, clock, logger }),
  outbox: createOutbox({ secrets, clock, mail: { kind: 'mailbox' } }),
})

/** Runs the environment's jobs, and answers how the given one ended; a worker of another test may have it just now. */
export async function settled(identity: TestIdentity, env: TestEnvironment, id: string) {
  for (;;) {
    await runDueJobs(workerOf(identity), { environmentId: env.id })
    const { status, json, text } = await env.manage('GET', `/jobs/${id}`)
    assert.equal(status, 200, text)
    if (json.status === 'completed' || json.status === 'failed') return json
    await pause(50)
  }
}

/** Imports to the end. */
export async function imported(
  identity: TestIdentity,
  env: TestEnvironment,
  users: unknown[] | string | Buffer,
  fields: Record<string, string>,
) {
  const sent = await upload(env, users, fields)
  assert.equal(sent.status, 202, sent.text)
  const job = await settled(identity, env, sent.json.id)
  const errors = await env.manage('GET', `/jobs/${job.id}/errors`)
  return { job, errors: errors.status === 204 ? [] : errors.json }
}

/** The bytes behind a link, fetched without any token. */
export const download = (identity: TestIdentity, env: TestEnvironment, location: string) =>
  new Promise<{ status: number; headers: Record<string, unknown>; bytes: Buffer }>((resolve, reject) => {
    const url = new URL(location)
    get(
      { port: identity.port, host: '127.0.0.1', path: url.pathname, headers: { host: new URL(env.origin).host } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, bytes: Buffer.concat(chunks) }),
        )
      },
    ).on('error', reject)
  })
