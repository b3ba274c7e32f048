/** What is needed to sign in at a server, and the three ways to do it, each from nothing to tokens. */
import { createHash, randomBytes } from 'node:crypto'
import { ask, manage, type Reply } from './requests.ts'
import type { ServerProcess } from './server-process.ts'

export interface SignIns {
  passwordLogin(): Promise<void>
  clientCredentials(): Promise<void>
  refresh(): Promise<void>
}

const AUDIENCE = 'https://api.example.test'
const REDIRECT = 'https://app.example.test/callback'
const PASSWORD = 'three random words'
/** So many that the same row is not locked by two at once. */
const PEOPLE = 64

export async function prepareSignIns(server: ServerProcess): Promise<SignIns> {
  const made = async (path: string, json: object) => JSON.parse((await manage(server, 'POST', path, json)).body)
  for (const shield of ['brute-force-protection', 'suspicious-ip-throttling']) {
    await manage(server, 'PATCH', `/attack-protection/${shield}`, { enabled: false })
  }
  await made('/resource-servers', {
    name: 'Items',
    identifier: AUDIENCE,
    scopes: [{ value: 'read:item' }, { value: 'create:item' }],
    allow_offline_access: true,
  })
  const spa = await made('/clients', {
    name: 'App',
    app_type: 'spa',
    callbacks: [REDIRECT],
    grant_types: ['authorization_code', 'refresh_token'],
    organization_usage: 'require',
  })
  const machine = await made('/clients', {
    name: 'Machine',
    app_type: 'non_interactive',
    grant_types: ['client_credentials'],
  })
  await made('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const connection = await made('/connections', {
    name: 'people',
    strategy: 'auth0',
    enabled_clients: [spa.client_id],
    options: { passwordPolicy: 'none' },
  })
  const organization = await made('/organizations', {
    name: 'signing-in',
    enabled_connections: [{ connection_id: connection.id }],
  })
  const people: string[] = []
  for (let n = 0; n < PEOPLE; n++) {
    const email = `signs-in-${n}@example.test`
    const { user_id } = await made('/users', { connection: 'people', email, password: PASSWORD, verify_email: false })
    await manage(server, 'POST', `/organizations/${organization.id}/members`, { members: [user_id] })
    people.push(email)
  }

  let turn = 0
  const signIn = async (email: string): Promise<{ access_token: string; refresh_token: string }> => {
    const verifier = randomBytes(32).toString('base64url')
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: spa.client_id,
      redirect_uri: REDIRECT,
      scope: 'openid profile email offline_access read:item',
      audience: AUDIENCE,
      state: 's',
      nonce: 'n',
      organization: organization.id,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const cookies = new Map<string, string>()
    const visit = async (path: string, form?: Record<string, string>): Promise<Reply> => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const reply = await ask(server, path, { headers: cookie ? { cookie } : {}, ...(form ? { form } : {}) })
      for (const line of reply.headers['set-cookie'] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        cookies.set(name!, value!)
      }
      return reply
    }
    const asked = await visit(`/authorize?${query}`)
    const page = await visit(asked.headers.location!)
    const hidden = [...page.body.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
    const form = Object.fromEntries(hidden.map((match) => [match[1]!, match[2]!]))
    const action = /<form[^>]*action="([^"]+)"[^>]*data-form-primary/.exec(page.body)![1]!
    const answer = await visit(action, { ...form, username: email, password: PASSWORD, action: 'default' })
    const code = new URL(answer.headers.location!).searchParams.get('code')!
    return token({
      grant_type: 'authorization_code',
      client_id: spa.client_id,
      code,
      redirect_uri: REDIRECT,
      code_verifier: verifier,
    })
  }
  const token = async (form: Record<string, string>) => {
    const reply = await ask(server, '/oauth/token', { form })
    if (reply.status !== 200) throw new Error(`${reply.status} ${reply.body}`)
    return JSON.parse(reply.body)
  }

  // Taken out while it is used: two exchanges of one token at once are a theft, and end the family.
  const families = await Promise.all(people.map(async (email) => (await signIn(email)).refresh_token))
  return {
    passwordLogin: async () => void (await signIn(people[turn++ % PEOPLE]!)),
    clientCredentials: async () =>
      void (await token({
        grant_type: 'client_credentials',
        client_id: machine.client_id,
        client_secret: machine.client_secret,
        audience: AUDIENCE,
      })),
    async refresh() {
      const { refresh_token } = await token({
        grant_type: 'refresh_token',
        client_id: spa.client_id,
        refresh_token: families.shift()!,
      })
      families.push(refresh_token)
    },
  }
}
