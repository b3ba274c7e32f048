/**
 * Stockroom over a real issuer, both in this process: companies that have registered, people who have signed in, and
 * their access tokens, as the first start's set-up makes them.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { openBrowser } from '@tenantry/identity/oauth/fixture.ts'
import { type Answer, movableClock, startIdentity, type TestEnvironment } from '@tenantry/identity/testing.ts'
import { testDatabase, testServer } from '@tenantry/kernel/database/testing.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import postgres from 'postgres'
import { createStockroom, type Stockroom, type StockroomOptions } from '../../examples/saas/src/stockroom.ts'
import { type Quickstart, seedQuickstart } from '../../packages/cli/src/quickstart.ts'

const APP = 'http://localhost:3000'
const AUDIENCE = 'https://api.stockroom.example'
const TENANT_CLAIM = 'https://stockroom.example/tenantId'
const TIER_CLAIM = 'https://stockroom.example/tier'
const PASSWORD = 'three random words'

export interface Company {
  slug: string
  tenantId: string
  organizationId: string
  /** The administrator who registered it. */
  owner: Person
}

export interface Person {
  userId: string
  email: string
  /** A new sign-in, with everything that the person's roles give. */
  token(organizationId: string): Promise<string>
  /** The same with the ID token, which says when the password was typed. */
  signIn(organizationId: string): Promise<{ token: string; idToken: string }>
}

export interface Called {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of any shape
  body: any
}

export interface SampleWorld {
  env: TestEnvironment
  quickstart: Quickstart
  stockroom: Stockroom
  /** Stockroom's own tables, as their owner. */
  owner: postgres.Sql
  controlSchema: string
  schema: string
  /** Past every policy. */
  superuser: postgres.Sql
  /** Somebody with an account whose address is proven. */
  person(name: string): Promise<Person>
  company(name: string, plan?: string): Promise<Company>
  join(person: Person, company: Company, role: 'admin' | 'member'): Promise<void>
  call(service: keyof Stockroom['urls'], method: string, path: string, token?: string, body?: unknown): Promise<Called>
  /** Everything that the issuer keeps about an organization, to be compared byte by byte. */
  snapshot(company: Company): Promise<string>
  close(): Promise<void>
}

export async function startSampleWorld(settings: Partial<StockroomOptions> = {}): Promise<SampleWorld> {
  const identity = await startIdentity({
    managementRate: { requests: 1_000_000, seconds: 60 },
    clock: movableClock(),
  })
  const env = await identity.environment()
  const host = new URL(env.origin).host
  const quickstart = await seedQuickstart(
    throughHttp(env),
    { id: env.id, origin: env.origin, token: await env.managementToken() },
    { appUrl: APP, apiAudience: AUDIENCE, tenantClaim: TENANT_CLAIM, tierClaim: TIER_CLAIM },
  )
  const urls = testDatabase()
  const schema = `stockroom_${randomBytes(6).toString('hex')}`
  const owner = postgres(urls.owner, { max: 1, onnotice: () => {}, connection: { search_path: schema } })
  // As a cloud's administrator is: no superuser.
  const superuser = postgres(inDatabase(testServer(), urls.owner), { max: 1, onnotice: () => {} })
  const administrator = await createProvisioner(superuser, `${schema}_provisioner`, urls.owner)
  // The environment's host is in no DNS.
  const fetchIssuer = (async (input: string | URL, init: RequestInit = {}) => {
    const { pathname, search } = new URL(String(input))
    const headers = Object.fromEntries(new Headers(init.headers))
    const ask = { method: init.method ?? 'GET', headers, ...(init.body ? { body: String(init.body) } : {}) }
    const answer = await identity.ask(host, pathname + search, ask)
    const body = answer.status === 204 ? null : answer.text
    return new Response(body, { status: answer.status, headers: answer.headers as Record<string, string> })
  }) as typeof fetch
  const stockroom = await createStockroom({
    database: { ...urls, schema, administrator, siloSecret: randomBytes(32).toString('base64url') },
    issuer: env.issuer,
    apiAudience: AUDIENCE,
    tenantClaim: TENANT_CLAIM,
    tierClaim: TIER_CLAIM,
    management: {
      domain: 'issuer.test',
      clientId: quickstart.servicesClient.client_id,
      clientSecret: quickstart.servicesClient.client_secret,
      audience: `${env.origin}/api/v2/`,
      maxRetries: 0,
      fetch: fetchIssuer,
    },
    fetch: fetchIssuer,
    connection: quickstart.connection,
    spaClientId: quickstart.spaClient.client_id,
    roles: quickstart.roles,
    logger: { info: () => {}, error: (facts, message) => console.error(message, facts) },
    ...settings,
  })
  await stockroom.listen()

  const manage = async (method: string, path: string, body?: unknown) => {
    const answer = await env.manage(method, path, body)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.json
  }
  const call: SampleWorld['call'] = async (service, method, path, token, body) => {
    const response = await fetch(`${stockroom.urls[service]}${path}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : text }
  }
  const world: SampleWorld = {
    env,
    quickstart,
    stockroom,
    owner,
    schema,
    superuser,
    controlSchema: `${schema}_control`,
    call,
    async person(name) {
      const email = `${name}-${randomBytes(3).toString('hex')}@example.test`
      const made = { connection: quickstart.connection.name, email, password: PASSWORD, email_verified: true, name }
      const { user_id } = await manage('POST', '/users', made)
      const sign = (organizationId: string) => signIn(env, quickstart.spaClient.client_id, email, organizationId)
      const token = async (organizationId: string) => (await sign(organizationId)).token
      return { userId: user_id, email, token, signIn: sign }
    },
    async company(name, plan = 'basic') {
      const owner = await world.person(`${name.toLowerCase()}-owner`)
      const companyName = `${name} ${randomBytes(3).toString('hex')}`
      const response = await fetch(`${stockroom.urls.registration}/registrations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
        body: JSON.stringify({ companyName, email: owner.email, plan }),
      })
      const answer = (await response.json()) as { tenant: { slug: string } }
      assert.equal(response.status, 201, JSON.stringify(answer))
      const { slug } = answer.tenant
      const [row] = await world.owner`select id, organization_id from tenants where slug = ${slug}`
      return { slug, tenantId: row!.id, organizationId: row!.organization_id, owner }
    },
    async join(person, { organizationId }, role) {
      await manage('POST', `/organizations/${organizationId}/members`, { members: [person.userId] })
      const path = `/organizations/${organizationId}/members/${encodeURIComponent(person.userId)}/roles`
      await manage('POST', path, { roles: [quickstart.roles[role]] })
    },
    async snapshot({ organizationId }) {
      const path = `/organizations/${organizationId}`
      const members = await manage('GET', `${path}/members?fields=user_id,roles`)
      const fields = 'fields=id,invitee,inviter,roles,ticket_id,expires_at'
      return JSON.stringify([
        await manage('GET', path),
        members,
        await manage('GET', `${path}/invitations?${fields}`),
        await manage('GET', `${path}/enabled_connections`),
      ])
    },
    async close() {
      await stockroom.close()
      await identity.close()
      await clear(owner, superuser, schema)
      await owner.end({ timeout: 2 })
    },
  }
  return world
}

async function createProvisioner(superuser: postgres.Sql, role: string, ownerUrl: string): Promise<string> {
  const password = randomBytes(16).toString('hex')
  await superuser.unsafe(`create role ${role} login nosuperuser nobypassrls createdb createrole password '${password}'`)
  await superuser.unsafe(`grant "${decodeURIComponent(new URL(ownerUrl).username)}" to ${role}`)
  const url = new URL(testServer())
  Object.assign(url, { username: role, password })
  return url.href
}

const inDatabase = (url: string, other: string): string => {
  const address = new URL(url)
  address.pathname = new URL(other).pathname
  return address.href
}

/** Everything that Stockroom made, tenants' schemas, databases and roles included. */
async function clear(owner: postgres.Sql, superuser: postgres.Sql, schema: string): Promise<void> {
  const control = `${schema}_control`
  const rows = await owner<{ placement: { schema?: string; database?: string } }[]>`
    select placement from ${owner(control)}.tenants union all select placement from ${owner(control)}.departures`
  for (const { placement } of rows) {
    if (placement.schema) await owner`drop schema if exists ${owner(placement.schema)} cascade`
    if (!placement.database) continue
    await superuser`drop database if exists ${superuser(placement.database)} with (force)`
    await superuser`drop role if exists ${superuser(placement.database)}`
  }
  await superuser`drop role ${superuser(`${schema}_provisioner`)}`
  await superuser.end({ timeout: 2 })
  await owner`drop schema ${owner(schema)}, ${owner(control)}, ${owner(`${schema}_exports`)} cascade`
}

/** The set-up's requests, which elsewhere need no socket. */
const throughHttp = (env: TestEnvironment): Api =>
  ({
    inject: async (ask: { method: string; url: string; headers: Record<string, string>; payload?: object }) => {
      const { method, url, headers, payload } = ask
      const answer = await env.request(url, { method, headers, body: payload })
      return { statusCode: answer.status, body: answer.text, json: () => answer.json }
    },
  }) as unknown as Api

/** The web app's sign-in: code flow with PKCE, asking for all that the API has. */
async function signIn(
  env: TestEnvironment,
  clientId: string,
  email: string,
  organization: string,
): Promise<{ token: string; idToken: string }> {
  const verifier = randomBytes(32).toString('base64url')
  const scopes = (await env.manage('GET', `/resource-servers/${encodeURIComponent(AUDIENCE)}`)).json.scopes as {
    value: string
  }[]
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: `${APP}/callback`,
    scope: `openid ${scopes.map(({ value }) => value).join(' ')}`,
    audience: AUDIENCE,
    organization,
    max_age: '300',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(`/authorize?${query}`))
  const answer: Answer = await browser.follow(await browser.submit(page, { username: email, password: PASSWORD }))
  const code = new URL(answer.headers.location!).searchParams.get('code')
  assert.ok(code, `no code came back: ${answer.headers.location}`)
  const form = {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: `${APP}/callback`,
  }
  const tokens = await env.request('/oauth/token', { form })
  assert.equal(tokens.status, 200, tokens.text)
  return { token: tokens.json.access_token, idToken: tokens.json.id_token }
}
