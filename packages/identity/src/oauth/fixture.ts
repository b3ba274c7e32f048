/** What the protocol's tests start from: a browser that keeps cookies, and an environment in which somebody can sign in. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { EnvironmentSettings } from '../environments/environment.ts'
import type { Answer, Ask, TestEnvironment, TestIdentity } from '../testing.ts'

export interface Browser {
  cookies: Map<string, string>
  visit(path: string, ask?: Ask): Promise<Answer>
  /** Posts the page's primary form, as a person with a keyboard would. */
  submit(page: Answer, values: Record<string, string>): Promise<Answer>
  /** Follows redirects inside the issuer; stops at the first page and at the first address outside. */
  follow(answer: Answer): Promise<Answer>
}

export function openBrowser(env: Pick<TestEnvironment, 'origin' | 'request'>): Browser {
  const cookies = new Map<string, string>()
  const visit = async (path: string, ask: Ask = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await env.request(path, { ...ask, headers: { ...(cookie ? { cookie } : {}), ...ask.headers } })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (/Max-Age=0(;|$)/.test(line)) cookies.delete(name!)
      else cookies.set(name!, value!)
    }
    return answer
  }
  const browser: Browser = {
    cookies,
    visit,
    submit: (page, values) => {
      const form = /<form[^>]*data-form-primary="true"[^>]*>([\s\S]*?)<\/form>/.exec(page.text)
      assert.ok(form, `there is no form on this page: ${page.status} ${page.text.slice(0, 200)}`)
      const action = /action="([^"]+)"/.exec(form[0])![1]!
      const hidden = [...form[1]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
      const fields = Object.fromEntries(hidden.map((match) => [match[1]!, match[2]!]))
      return visit(action, { form: { ...fields, ...values, action: 'default' }, headers: { origin: env.origin } })
    },
    follow: async (answer) => {
      let last = answer
      for (let hops = 0; hops < 6 && last.status >= 300 && last.status < 400; hops++) {
        const target = new URL(last.headers.location!, env.origin)
        if (target.origin !== env.origin) return last
        last = await visit(target.pathname + target.search)
      }
      return last
    },
  }
  return browser
}

export const REDIRECT = 'https://app.example.test/callback'
export const AUDIENCE = 'https://api.example.test'
export const PASSWORD = 'three random words'

export interface Person {
  user_id: string
  email: string
}

// biome-ignore lint/suspicious/noExplicitAny: tests read members of any shape
type Made = any

export interface World {
  env: TestEnvironment
  /** POST to the Management API, which must answer as said (201 if nothing is). */
  make(path: string, body: object, ...statuses: number[]): Promise<Made>
  /** Another client of this environment, with its secret. */
  client(settings: object): Promise<{ client_id: string; client_secret: string }>
  spa: string
  connection: { id: string; name: string }
  /** Reads and creates items. */
  admin: string
  /** Reads items. */
  reader: string
  organization(name: string): Promise<string>
  person(email: string, memberOf?: { organization: string; role?: string }): Promise<Person>
  authorize(parameters?: Record<string, string>): AuthorizeRequest
  /** A whole sign-in in an organization, up to the code. */
  signIn(
    browser: Browser,
    person: Person,
    parameters?: Record<string, string>,
  ): Promise<{ code: string; verifier: string; answer: Answer }>
  /** A whole sign-in in a browser of its own, up to the tokens. */
  tokens(person: Person, parameters?: Record<string, string>): Promise<Made>
  exchange(code: string, verifier: string, more?: Record<string, string>): Promise<Answer>
  refresh(token: string, more?: Record<string, string>): Promise<Answer>
}

export interface AuthorizeRequest {
  path: string
  verifier: string
}

export async function createWorld(
  identity: Pick<TestIdentity, 'environment'>,
  spaSettings: object = {},
  environmentSettings: EnvironmentSettings = {},
): Promise<World> {
  const env = await identity.environment(environmentSettings)
  const make = async (path: string, body: object, ...statuses: number[]) => {
    const answer = await env.manage('POST', path, body)
    assert.ok(
      (statuses.length > 0 ? statuses : [201]).includes(answer.status),
      `${path}: ${answer.status} ${answer.text}`,
    )
    return answer.json
  }
  const spa = await make('/clients', {
    name: 'Stockroom',
    app_type: 'spa',
    callbacks: [REDIRECT],
    web_origins: ['https://app.example.test'],
    allowed_logout_urls: ['https://app.example.test'],
    initiate_login_uri: 'https://app.example.test/login',
    grant_types: ['authorization_code', 'refresh_token'],
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
    ...spaSettings,
  })
  await make('/resource-servers', {
    name: 'Items',
    identifier: AUDIENCE,
    scopes: [{ value: 'read:item' }, { value: 'create:item' }],
    enforce_policies: true,
    token_dialect: 'access_token_authz',
    allow_offline_access: true,
  })
  const connection = await make('/connections', {
    name: 'people',
    strategy: 'auth0',
    enabled_clients: [spa.client_id],
    options: { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } },
  })
  const role = async (name: string, permissions: string[]) => {
    const { id } = await make('/roles', { name }, 200)
    const body = {
      permissions: permissions.map((permission_name) => ({ permission_name, resource_server_identifier: AUDIENCE })),
    }
    await make(`/roles/${id}/permissions`, body, 201)
    return id as string
  }
  const admin = await role('Administrator', ['read:item', 'create:item'])
  const reader = await role('Reader', ['read:item'])

  const world: World = {
    env,
    make,
    client: (settings) => make('/clients', { name: 'Another', callbacks: [REDIRECT], ...settings }),
    spa: spa.client_id,
    connection,
    admin,
    reader,
    organization: async (name) => {
      const enabled_connections = [{ connection_id: connection.id }]
      return (
        await make('/organizations', {
          name,
          display_name: name,
          metadata: { tenantId: `t-${name}` },
          enabled_connections,
        })
      ).id
    },
    person: async (email, memberOf) => {
      const user = await make('/users', { connection: connection.name, email, password: PASSWORD, verify_email: false })
      if (memberOf) {
        const { organization } = memberOf
        await make(`/organizations/${organization}/members`, { members: [user.user_id] }, 204)
        const roles = [memberOf.role ?? reader]
        await make(`/organizations/${organization}/members/${encodeURIComponent(user.user_id)}/roles`, { roles }, 204)
      }
      return { user_id: user.user_id, email }
    },
    authorize: (parameters = {}) => {
      const verifier = randomBytes(32).toString('base64url')
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: spa.client_id,
        redirect_uri: REDIRECT,
        scope: 'openid profile email offline_access read:item create:item',
        audience: AUDIENCE,
        state: 'the-state',
        nonce: 'the-nonce',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...parameters,
      })
      return { path: `/authorize?${query}`, verifier }
    },
    signIn: async (browser, person, parameters = {}) => {
      const { path, verifier } = world.authorize(parameters)
      const page = await browser.follow(await browser.visit(path))
      const answer = await browser.follow(await browser.submit(page, { username: person.email, password: PASSWORD }))
      const target = new URL(answer.headers.location!)
      const code = target.searchParams.get('code')
      assert.ok(code, `no code came back: ${target.href}`)
      return { code, verifier, answer }
    },
    tokens: async (person, parameters = {}) => {
      const { code, verifier } = await world.signIn(openBrowser(env), person, parameters)
      const answer = await world.exchange(code, verifier)
      assert.equal(answer.status, 200, answer.text)
      return answer.json
    },
    exchange: (code, verifier, more = {}) =>
      env.request('/oauth/token', {
        form: {
          grant_type: 'authorization_code',
          client_id: spa.client_id,
          code,
          code_verifier: verifier,
          redirect_uri: REDIRECT,
          ...more,
        },
      }),
    refresh: (token, more = {}) =>
      env.request('/oauth/token', {
        form: { grant_type: 'refresh_token', client_id: spa.client_id, refresh_token: token, ...more },
      }),
  }
  return world
}

/** Deploys Actions and binds them to a trigger in this order, instead of those before. */
export async function bindActions(
  { make, env }: Pick<World, 'make' | 'env'>,
  trigger: string,
  ...codes: string[]
): Promise<void> {
  const bindings: object[] = []
  for (const code of codes) {
    const name = `${trigger} ${randomBytes(6).toString('hex')}`
    const { id } = await make('/actions/actions', { name, supported_triggers: [{ id: trigger }], code, deploy: true })
    bindings.push({ ref: { type: 'action_id', value: id } })
  }
  const bound = await env.manage('PATCH', `/actions/triggers/${trigger}/bindings`, { bindings })
  assert.equal(bound.status, 200, bound.text)
}

/** The same for bodies of handlers that run at a sign-in. */
export const bindPostLogin = (world: Pick<World, 'make' | 'env'>, ...bodies: string[]): Promise<void> =>
  bindActions(
    world,
    'post-login',
    ...bodies.map((body) => `exports.onExecutePostLogin = async (event, api) => {\n${body}\n}`),
  )

/** What an answer tells the client at its redirect URI, in the query or the fragment. */
export function toldClient(answer: Answer): Record<string, string> {
  const target = new URL(answer.headers.location ?? `page:${answer.status}`)
  const page = /<main[\s\S]*/.exec(answer.text)?.[0] ?? answer.text
  assert.equal(target.origin + target.pathname, REDIRECT, `${answer.status} ${page.slice(0, 1500)}`)
  return Object.fromEntries(target.hash ? new URLSearchParams(target.hash.slice(1)) : target.searchParams)
}

/** A token's payload, unverified: for looking at what was minted. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into claims of any shape
export const payloadOf = (jwt: string): any => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString('utf8'))
