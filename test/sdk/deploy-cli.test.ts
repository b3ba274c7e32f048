/**
 * auth0-deploy-cli, as npm has it: a whole environment becomes files, the files become another environment, and what is
 * taken out of the files is taken out of the environment. Teams do this in CI, so nothing may ask them anything.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { globalAgent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type SdkWorld, startSdkWorld } from './fixture.ts'

const COMMAND = fileURLToPath(new URL('../../node_modules/auth0-deploy-cli/lib/index.js', import.meta.url))
/** The Management API's own address, which is another in each environment. */
const MARKER = '@@MANAGEMENT_API@@'

let directory: string
let source: SdkWorld
let target: SdkWorld
before(async () => {
  ;[source, target, directory] = await Promise.all([
    startSdkWorld(),
    startSdkWorld(),
    mkdtemp(join(tmpdir(), 'deploy-cli-')),
  ])
  await writeFile(join(directory, 'ca.pem'), String(globalAgent.options.ca))
})
after(async () => {
  await Promise.all([source.close(), target.close()])
  await rm(directory, { recursive: true })
})

const run = promisify(execFile)

async function a0deploy(world: SdkWorld, args: string[], settings: Record<string, string> = {}): Promise<string> {
  const { domain, clientId, clientSecret } = world.options
  const { stdout } = await run(process.execPath, [COMMAND, ...args], {
    cwd: directory,
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem'),
      AUTH0_DOMAIN: domain,
      AUTH0_CLIENT_ID: clientId,
      AUTH0_CLIENT_SECRET: clientSecret,
      AUTH0_KEYWORD_REPLACE_MAPPINGS: JSON.stringify({ MANAGEMENT_API: managementApi(world) }),
      AUTH0_PRESERVE_KEYWORDS: 'false',
      ...settings,
    },
  })
  return stdout
}

const managementApi = ({ env }: SdkWorld) => `${env.origin}/api/v2/`
const exported = async (world: SdkWorld, folder: string) => {
  await a0deploy(world, ['export', '--format', 'yaml', '--output_folder', folder])
  return files(join(directory, folder), world)
}
const imported = (world: SdkWorld, input: string, settings = {}) =>
  a0deploy(world, ['import', '--input_file', input], settings)

/** What an export wrote, by path. What every environment makes for itself is left out. */
async function files(folder: string, world: SdkWorld): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const text = (await readFile(path, 'utf8')).replaceAll(managementApi(world), MARKER)
    if (text.includes(MARKER)) await writeFile(path, text)
    found[path.slice(folder.length + 1)] = text.replace(/tenantry-domain-verification=\w+/g, 'tenantry-domain-…')
  }
  return found
}

async function fill({ env }: SdkWorld) {
  const made = async (path: string, body: object, method = 'POST') => {
    const answer = await env.manage(method, path, body)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.json
  }
  const portal = await made('/clients', {
    name: 'Portal',
    app_type: 'regular_web',
    callbacks: ['https://portal.example/callback'],
    organization_usage: 'allow',
    client_metadata: { team: 'blue' },
  })
  const job = await made('/clients', { name: 'Night job', app_type: 'non_interactive' })
  const people = await made('/connections', {
    name: 'People',
    strategy: 'auth0',
    options: { passwordPolicy: 'good', disable_signup: true },
    enabled_clients: [portal.client_id],
  })
  const audience = 'https://orders.example'
  await made('/resource-servers', { name: 'Orders', identifier: audience, scopes: [{ value: 'read:orders' }] })
  const scope = ['read:orders']
  const grant = await made('/client-grants', { client_id: job.client_id, audience, scope, organization_usage: 'allow' })
  const reader = await made('/clients', { name: 'Reader', app_type: 'non_interactive' })
  await made('/client-grants', {
    client_id: reader.client_id,
    audience: managementApi({ env } as SdkWorld),
    scope: ['read:users', 'read:groups', 'read:shields'],
  })
  const role = await made('/roles', { name: 'Buyer', description: 'Buys' })
  await made(`/roles/${role.id}/permissions`, {
    permissions: [{ resource_server_identifier: audience, permission_name: 'read:orders' }],
  })
  const organization = await made('/organizations', {
    name: 'acme',
    display_name: 'Acme',
    metadata: { tenantId: 't-1' },
    enabled_connections: [{ connection_id: people.id, assign_membership_on_login: true }],
  })
  await made(`/organizations/${organization.id}/client-grants`, { grant_id: grant.id })
  await made(`/organizations/${organization.id}/discovery-domains`, { domain: 'acme.example', status: 'pending' })
  const action = await made('/actions/actions', {
    name: 'Greet',
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
    code: "const axios = require('axios')\nexports.onExecutePostLogin = async () => {}",
    dependencies: [{ name: 'axios', version: '1.7.9' }],
    runtime: 'node22',
  })
  await made(`/actions/actions/${action.id}/deploy`, {})
  const binding = { ref: { type: 'action_id', value: action.id }, display_name: 'Greet' }
  await made('/actions/triggers/post-login/bindings', { bindings: [binding] }, 'PATCH')
  await made('/email-templates', {
    template: 'verify_email',
    body: '<p>{{ url }}</p>',
    from: 'shop@portal.example',
    subject: 'Verify',
    syntax: 'liquid',
    enabled: true,
  })
  await made('/log-streams', { name: 'Hook', type: 'http', sink: { httpEndpoint: 'https://logs.example/in' } })
  await made('/branding', { colors: { primary: '#0a84ff' }, logo_url: 'https://portal.example/logo.png' }, 'PATCH')
  await made('/prompts/login/custom-text/en', { login: { title: 'Hello there' } }, 'PUT')
  await made('/guardian/factors/otp', { enabled: true }, 'PUT')
  await made('/guardian/policies', ['all-applications'], 'PUT')
  await made('/attack-protection/brute-force-protection', { max_attempts: 5 }, 'PATCH')
  await made('/custom-domains', { domain: 'login.portal.example', type: 'self_managed_certs' })
}

// The tool asks for the texts of each prompt in each language, eight a second.
const oneLanguage = ({ env }: SdkWorld) => env.manage('PATCH', '/tenants/settings', { enabled_locales: ['en'] })

test('an export of everything makes the same environment elsewhere, which is exported as the same files', async () => {
  await Promise.all([oneLanguage(source), oneLanguage(target)])
  await fill(source)
  const all = await exported(source, 'source')
  const tenant = all['tenant.yaml']!
  for (const name of ['Portal', 'People', 'Orders', 'Buyer', 'acme', 'Greet', 'Hook']) {
    assert.match(tenant, new RegExp(`^ {2}- name: ${name}$`, 'm'))
  }
  assert.match(await imported(target, 'source/tenant.yaml'), /Import Successful/)
  assert.deepEqual(await exported(target, 'target'), all)
  const organization = (await target.env.manage('GET', '/organizations/name/acme')).json
  assert.deepEqual(organization.metadata, { tenantId: 't-1' })
  const grants = (await target.env.manage('GET', `/client-grants?audience=${managementApi(target)}`)).json
  assert.ok(
    grants.some(({ scope }: { scope: string[] }) => scope.join() === 'read:users,read:groups,read:shields'),
    JSON.stringify(grants),
  )
})

test('what is changed in the files is changed by an import, and what is taken out is deleted where that is allowed', async () => {
  const file = join(directory, 'target', 'tenant.yaml')
  const text = await readFile(file, 'utf8')
  const without = text
    .replace(/^organizations:\n( .*\n)+/m, 'organizations: []\n')
    .replace('description: Buys', 'description: Purchases')
  await writeFile(file, without)
  const settings = { AUTH0_ALLOW_DELETE: 'true' }
  assert.match(await imported(target, 'target/tenant.yaml', settings), /Import Successful/)
  const names = async (path: string) =>
    (await target.env.manage('GET', path)).json.map((each: { name: string }) => each.name)
  assert.deepEqual(await names('/organizations'), [])
  assert.deepEqual(
    (await target.env.manage('GET', '/roles')).json.map((role: { description: string }) => role.description),
    ['Purchases'],
  )
  assert.deepEqual(await names('/resource-servers'), ['Auth0 Management API', 'Orders'])
})
