/** A whole installation on good and bad days: what survives a kill, how it stops, and what it says when it cannot start. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Installation, startInstallation } from './journeys/installation.ts'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-life-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const executable = fileURLToPath(new URL('../packages/cli/src/tenantry.ts', import.meta.url))

const register = async (installation: Installation, key: string, companyName: string) => {
  const response = await fetch(`${installation.quickstart.gatewayUrl}/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ companyName, email: 'anna@example.test', plan: 'standard' }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** Whether the installation's database server runs. Started by root, it may live elsewhere; then a note says where. */
function isRunning(data: string): boolean {
  const note = join(data, 'postgres', 'place')
  const base = existsSync(note) ? readFileSync(note, 'utf8').trim() : join(data, 'postgres')
  const files = readdirSync(join(base, 'data'))
  assert.ok(files.includes('PG_VERSION'), `${base} holds a database`)
  return files.includes('postmaster.pid')
}

/** Runs the command to its end, with settings that must stop it. */
function failingStart(environment: Record<string, string>): { code: number | null; stderr: string } {
  const { PATH = '', HOME = '' } = process.env
  const { status, stderr } = spawnSync(process.execPath, ['--no-node-snapshot', executable, 'start'], {
    env: { PATH, HOME, TENANTRY_DATA: join(directory, 'failing'), ...environment },
    encoding: 'utf8',
    timeout: 300_000,
  })
  return { code: status, stderr: stderr.trim() }
}

test('after kill -9 the next start recovers by itself, and what was acknowledged is there', async () => {
  const data = join(directory, 'killed')
  const first = await startInstallation({ directory: data })
  const { environment } = first
  const made = await register(first, 'a-key-of-the-first-run-0001', 'Blue Kite')
  assert.ok(made.status === 200 || made.status === 201, JSON.stringify(made))
  const invited = await first.mailTo('anna@example.test')
  const gone = new Promise((resolve) => first.process.once('exit', resolve))
  first.process.kill('SIGKILL')
  await gone

  const second = await startInstallation({ directory: data, environment })
  try {
    assert.deepEqual(second.quickstart, first.quickstart)
    assert.equal((await second.mailTo('anna@example.test')).id, invited.id)
    const again = await register(second, 'a-key-of-the-first-run-0001', 'Blue Kite')
    assert.deepEqual(again.body, made.body, 'the idempotency key is remembered')
  } finally {
    assert.equal(await second.stop(), 0, 'SIGTERM stops everything and ends with code 0')
  }
  assert.equal(isRunning(data), false, 'nothing of the database is left running')
})

test('a taken port is named together with the setting that changes it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as { port: number }
  // Asynchronously, because the listener lives in this process.
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--no-node-snapshot', executable, 'start'], {
    env: {
      PATH,
      HOME,
      TENANTRY_DATA: join(directory, 'failing'),
      TENANTRY_HTTP_PORT: String(port),
      TENANTRY_HTTPS_PORT: '1',
    },
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  taken.close()
  assert.equal(code, 1)
  assert.equal(
    stderr.trim(),
    `tenantry: Port ${port} is taken by another program. Stop it, or set TENANTRY_HTTP_PORT to a free port.`,
  )
})

test('a server that does not answer is named, its password is not', () => {
  const { code, stderr } = failingStart({ DATABASE_URL: 'postgres://tenantry:pa55word@127.0.0.1:1/tenantry' })
  assert.equal(code, 1)
  assert.equal(stderr.split('\n').length, 1, stderr)
  assert.match(stderr, /^tenantry: .*127\.0\.0\.1:1/)
  assert.ok(!stderr.includes('pa55word'))
})

test('a setting that is no setting is refused by its name', () => {
  const port = failingStart({ TENANTRY_HTTP_PORT: 'four thousand' })
  assert.equal(port.code, 1)
  assert.equal(
    port.stderr,
    'tenantry: TENANTRY_HTTP_PORT=four thousand is not valid: a port is a number from 1 to 65535.',
  )
  for (const [name, value, values] of [
    ['TENANTRY_LOG', 'verbose', 'trace, debug, info, warn, error, silent'],
    ['STOCKROOM_ONE_TENANT_PER_USER', 'yes', 'true, false'],
  ] as const) {
    const { code, stderr } = failingStart({ [name]: value })
    assert.deepEqual([code, stderr], [1, `tenantry: ${name}=${value} is not valid: it must be one of ${values}.`])
  }
  const key = failingStart({ TENANTRY_MASTER_KEY: 'c2hvcnQ=' })
  assert.equal(key.code, 1)
  assert.equal(key.stderr, 'tenantry: TENANTRY_MASTER_KEY=(not shown) is not valid: it must be 32 bytes in base64.')
})

test('a start that is stopped while the database is migrated leaves no database server behind', async () => {
  const { PATH = '', HOME = '' } = process.env
  const data = join(directory, 'stopped')
  const child = spawn(process.execPath, ['--no-node-snapshot', executable, 'start'], {
    env: { PATH, HOME, TENANTRY_DATA: data },
  })
  let asked = false
  child.stdout.on('data', (chunk: Buffer) => {
    // Once: the second signal gives up waiting.
    if (asked || !chunk.includes('Applying migration')) return
    asked = true
    child.kill('SIGTERM')
  })
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0)
  assert.equal(isRunning(data), false)
})

test('a directory that cannot be used is named', () => {
  const file = join(directory, 'a-file')
  mkdirSync(file)
  chmodSync(file, 0o500)
  // Root may write anywhere, so the path leads through something that is no directory.
  const { code, stderr } = failingStart({
    TENANTRY_DATA: process.getuid?.() === 0 ? '/dev/null/tenantry' : join(file, 'data'),
  })
  assert.equal(code, 1)
  assert.equal(stderr.split('\n').length, 1, stderr)
  assert.match(stderr, /^tenantry: .*(\/dev\/null\/tenantry|a-file)/)
})
