/** The template that goes to AWS: read as AWS reads it, the same routes as the OpenAPI document, and served here. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Authorization } from '@tenantry/gateway/api.ts'
import { resourceFaults } from '@tenantry/gateway/definition/export/test-resource-schemas.ts'
import { startIssuer, type TestIssuer } from '@tenantry/gateway/test-issuer.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import postgres from 'postgres'

const root = fileURLToPath(new URL('../..', import.meta.url))
const executable = join(root, 'packages/cli/src/tenantry.ts')
const sample = join(root, 'examples/saas')
const template = join(sample, 'deploy/template.yaml')
const AUDIENCE = 'https://api.stockroom.example'
const TENANT = 'D'.repeat(24)

interface Route {
  key: string
  authorization: Pick<Authorization, 'type'> & { scopes?: string[] }
}

let folder: string
let issuer: TestIssuer
let gateway: ChildProcess | undefined
const schema = `stockroom_${randomBytes(6).toString('hex')}`
let owner: postgres.Sql

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stockroom-deploy-'))
  issuer = await startIssuer(Date.now)
  owner = postgres(testDatabase().owner, { max: 1, onnotice: () => {} })
})
after(async () => {
  if (gateway && gateway.exitCode === null) {
    gateway.kill('SIGKILL')
    await once(gateway, 'exit')
  }
  await issuer.close()
  await owner`drop schema if exists ${owner(schema)}, ${owner(`${schema}_control`)}, ${owner(`${schema}_exports`)} cascade`
  await owner.end({ timeout: 2 })
  rmSync(folder, { recursive: true, force: true })
})

/** Not at once: the issuer that it asks is in this process. */
async function cli(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [executable, 'gateway', ...args], { cwd: folder })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [status] = (await once(child, 'close')) as [number]
  return { status, stdout, stderr }
}
const given = () => ['--parameter', `Issuer=${issuer.issuer}`]

test('the template is read without a complaint, and what it becomes has only what AWS’s published schemas know', async () => {
  const validated = await cli('validate', template, ...given())
  assert.equal(validated.status, 0, validated.stdout + validated.stderr)
  assert.doesNotMatch(validated.stdout + validated.stderr, /warning/i)
  const exported = await cli('export', template, ...given(), '--to', 'cloudformation', '--format', 'json')
  assert.equal(exported.status, 0, exported.stderr)
  const written = JSON.parse(exported.stdout) as { Resources: Record<string, { Type: string }> }
  assert.deepEqual(resourceFaults(written), [])
  const routes = Object.values(written.Resources).filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
  assert.equal(routes.length, 20)
})

test('its routes ask for the same scopes as those of the OpenAPI document', async () => {
  const guards = async (file: string, ...options: string[]) => {
    const read = await cli('import', file, ...options)
    assert.equal(read.status, 0, read.stderr)
    const { apis } = JSON.parse(read.stdout) as { apis: [{ routes: Route[] }] }
    return apis[0].routes
      .map(({ key, authorization }) => `${key} ${authorization.type} ${(authorization.scopes ?? []).join(' ')}`)
      .sort()
  }
  const services = ['items', 'users', 'registration', 'tenants'].flatMap((name) => [
    '--stage-variable',
    `${name}=x.test`,
  ])
  const own = await guards(template, ...given())
  assert.equal(own.length, 20)
  assert.deepEqual(
    own,
    await guards(join(sample, 'api.openapi.yaml'), '--variable', `issuer=${issuer.issuer}`, ...services),
  )
})

test('the same template runs here: items are kept and exported through the functions, and other tenants’ are not', async () => {
  cpSync(template, join(folder, 'template.yaml'))
  const built = spawnSync(process.execPath, [join(sample, 'deploy/build.mjs'), join(folder, 'dist')], {
    encoding: 'utf8',
  })
  assert.equal(built.status, 0, built.stderr)
  const { application, owner: ownerUrl } = testDatabase()
  const variables = {
    DATABASE: JSON.stringify({ application, owner: ownerUrl, schema }),
    MANAGEMENT_DOMAIN: 'issuer.test',
    MANAGEMENT_CLIENT_ID: 'x',
    MANAGEMENT_CLIENT_SECRET: 'x',
    CONNECTION_ID: 'con_x',
    SPA_CLIENT_ID: 'x',
  }
  writeFileSync(join(folder, 'settings.json'), JSON.stringify({ Parameters: variables }))
  gateway = spawn(
    process.execPath,
    [executable, 'gateway', 'run', 'template.yaml', '--port', '0', '--json', '--env-vars', 'settings.json', ...given()],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  gateway.stderr!.on('data', (chunk) => {
    said += chunk
  })
  const lines = createInterface({ input: gateway.stdout! })
  const port = await new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line) as { event: string; port: number }
      if (event.event === 'ready') resolve(event.port)
      else if (event.event !== 'request') said += `${line}\n`
    })
    gateway!.once('exit', () => reject(new Error(said)))
  })
  const call = async (method: string, path: string, token?: string, body?: object) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    // biome-ignore lint/suspicious/noExplicitAny: whatever the function returned
    return { status: answer.status, body: (text ? JSON.parse(text) : undefined) as any }
  }
  const token = (tenantId: string, scope = 'read:item create:item delete:item') =>
    issuer.mint({
      aud: [AUDIENCE],
      sub: 'auth0|maria',
      scope,
      org_id: `org_${tenantId}`,
      'https://stockroom.example/tenantId': tenantId,
    })

  assert.deepEqual(await call('GET', '/items'), { status: 401, body: { message: 'Unauthorized' } })
  assert.equal((await call('GET', '/tenants/resolve?slug=nobody')).status, 404, said)
  for (const id of [TENANT, 'E'.repeat(24)]) {
    await owner`
      insert into ${owner(schema)}.tenants (id, name, slug, plan, organization_id, state, created_at)
      values (${id}, ${id}, ${id.toLowerCase()}, 'premium', ${`org_${id}`}, 'active', now())`
    await owner`
      insert into ${owner(`${schema}_control`)}.tenants (tenant, state, tier, placement)
      values (${id}, 'registered', 'premium', '{"model":"pool"}')`
  }
  try {
    const made = await call('POST', '/items', token(TENANT), { id: 'crate', name: 'Cedar crate', quantity: 3 })
    assert.equal(made.status, 201, JSON.stringify(made.body) + said)
    assert.equal((await call('GET', '/items/crate', token(TENANT))).body.name, 'Cedar crate')
    assert.equal((await call('GET', '/items?q=cedar', token(TENANT))).body.total, 1)
    assert.equal((await call('GET', '/items/crate', token('E'.repeat(24)))).status, 404)
    assert.deepEqual(await call('DELETE', '/items/crate', token(TENANT, 'read:item')), {
      status: 403,
      body: { message: 'Forbidden' },
    })

    // What takes longer than a call is done by the function that a schedule invokes.
    const administrator = token(TENANT, 'export:tenant')
    const asked = await call('POST', '/tenant/exports', administrator)
    assert.equal(asked.status, 202, JSON.stringify(asked.body) + said)
    const exports = async () => (await call('GET', '/tenant/exports', administrator)).body.exports
    assert.deepEqual(
      (await exports()).map(({ id, state }: { id: string; state: string }) => [id, state]),
      [[asked.body.id, 'running']],
    )
    await upkeep({ ...variables, ISSUER: issuer.issuer, API_AUDIENCE: AUDIENCE, CONNECTION_NAME: 'people' })
    const [{ state, rows, parts }] = await exports()
    assert.deepEqual([state, rows, parts], ['done', 1, 1])
    const archive = await fetch(`http://127.0.0.1:${port}/tenant/exports/${asked.body.id}`, {
      headers: { authorization: `Bearer ${administrator}` },
    })
    assert.deepEqual([archive.status, archive.headers.get('content-type')], [200, 'application/octet-stream'])
    assert.equal(Buffer.from(await archive.arrayBuffer()).toString('latin1', 0, 4), 'PK\u0003\u0004')
    const foreign = token('E'.repeat(24), 'export:tenant')
    assert.equal((await call('GET', `/tenant/exports/${asked.body.id}`, foreign)).status, 404)

    assert.equal((await call('DELETE', '/items/crate', token(TENANT))).status, 204)
  } finally {
    for (const id of [TENANT, 'E'.repeat(24)]) await owner`drop schema if exists ${owner(`tenant_${id}`)} cascade`
  }
})

/** The function `Upkeep`, out of the bundle, as the schedule invokes it: in a process of its own, with the template's variables. */
async function upkeep(variables: Record<string, string>): Promise<void> {
  const invoke = "const { upkeep } = await import('./dist/src/lambda/handlers.mjs'); await upkeep(); process.exit(0)"
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, ['--input-type=module', '-e', invoke], {
    cwd: folder,
    env: { PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const [status] = (await once(child, 'close')) as [number]
  assert.equal(status, 0, said)
}
