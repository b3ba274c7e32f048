/** What tests of the issuer's pages stand on: organizations with their looks, people, and how they come to each page. */
import assert from 'node:assert/strict'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { PASSWORD, type SignInWorld, submit } from './sign-in-world.ts'

const MARKUP = `"><script>document.title='broken out'</script><img src=x onerror=alert(1)>`
export const LONG_NAME = `Vereinigte Donaudampfschifffahrtsgesellschaften ${'Ober'.repeat(30)}österreich ${MARKUP}`
export const LONG_ADDRESS = `maria.${'magdalena.'.repeat(4)}oberhuber@${'lagerverwaltung.'.repeat(6)}example`

export interface PagesWorld {
  client: string
  /** Lets people choose their organization after the sign-in, or none. */
  choosing: string
  organizations: { blue: string; marigold: string; hostile: string; named: string; coded: string }
  /** One that needs no sign-in. */
  plain: BrowserContext
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>
  /** Somebody with a password, in every organization of such people. */
  member(email: string): Promise<void>
  /** @returns where the invitation leads */
  invite(email: string, inviter?: string, organization?: string): Promise<string>
  /** A link for somebody, in the look of the application in an organization. */
  ticket(kind: 'email-verification' | 'password-change', email?: string): Promise<string>
  mailTo(address: string): Promise<{ id: string; html: string }>
  authorize(parameters?: Record<string, string>): string
  /** Where somebody begins to sign in to the organization of most tests. */
  inBlue(): string
  /** An address of the issuer. */
  issuer(path: string): string
}

export async function startPagesWorld(world: SignInWorld): Promise<PagesWorld> {
  const { browser, env, callback, make } = world
  const client = await world.client({
    initiate_login_uri: callback,
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
  })
  const choosing = await world.client({
    organization_usage: 'allow',
    organization_require_behavior: 'post_login_prompt',
  })
  const connection = (
    await make('/connections', {
      name: 'people',
      strategy: 'auth0',
      options: {
        passwordPolicy: 'none',
        password_complexity_options: { min_length: 12 },
        password_no_personal_info: { enable: true },
      },
      enabled_clients: [client, choosing],
    })
  ).id!
  const enabled_clients = [client]
  const options = { passwordPolicy: 'none', requires_username: true }
  const named = (await make('/connections', { name: 'named', strategy: 'auth0', options, enabled_clients })).id!
  const coded = (await make('/connections', { name: 'email', strategy: 'email', enabled_clients })).id!
  const role = (await make('/roles', { name: 'Warehouse lead' })).id!
  const organization = async (name: string, display_name: string, primary?: string, connection_id = connection) => {
    const branding = primary ? { branding: { colors: { primary } } } : {}
    const enabled_connections = [{ connection_id }]
    return (await make('/organizations', { name, display_name, ...branding, enabled_connections })).id!
  }
  const organizations = {
    blue: await organization('blue-kite', 'Blue Kite', '#2463c4'),
    marigold: await organization('marigold', 'Marigold', '#e9a820'),
    hostile: await organization('hostile', LONG_NAME),
    // Where people have usernames, and where they have codes instead of passwords.
    named: await organization('named', 'Northwind', undefined, named),
    coded: await organization('coded', 'Harbour', undefined, coded),
  }

  const authorize: PagesWorld['authorize'] = (parameters = {}) => world.authorize(client, parameters)
  const newContext: PagesWorld['newContext'] = (options = {}) =>
    browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options })

  async function member(email: string): Promise<void> {
    const { user_id } = await make('/users', { connection: 'people', email, password: PASSWORD })
    const { blue, marigold, hostile } = organizations
    for (const id of [blue, marigold, hostile]) await make(`/organizations/${id}/members`, { members: [user_id] })
  }

  async function invite(email: string, inviter = 'Anna Reed', organization = organizations.blue): Promise<string> {
    const { ticket_id } = await make(`/organizations/${organization}/invitations`, {
      inviter: { name: inviter },
      invitee: { email },
      client_id: client,
      roles: [role],
    })
    return authorize({ organization, invitation: ticket_id! })
  }

  async function ticket(
    kind: 'email-verification' | 'password-change',
    email = 'anna@bluekite.example',
  ): Promise<string> {
    const known = (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json
    if (known.length === 0) await member(email)
    const [{ user_id }] = (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json
    const organization_id = email === LONG_ADDRESS ? organizations.hostile : organizations.blue
    return (await make(`/tickets/${kind}`, { user_id, client_id: client, organization_id })).ticket!
  }

  async function mailTo(address: string): Promise<{ id: string; html: string }> {
    const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(address)}`)).json
    assert.ok(mail, `no mail to ${address}`)
    return mail
  }

  await member('anna@bluekite.example')
  return {
    ...{ client, choosing, organizations, newContext, member, invite, ticket, mailTo, authorize },
    plain: await newContext(),
    inBlue: () => authorize({ organization: organizations.blue }),
    issuer: (path) => new URL(path, env.origin).href,
  }
}

export const press = (page: Page) => Promise.all([page.waitForNavigation(), page.click(submit)])

/** Fills in the page that asks for both, and sends it. */
export async function signIn(page: Page, email = 'anna@bluekite.example', password = PASSWORD): Promise<void> {
  await page.fill('#username', email)
  await page.fill('#password', password)
  await press(page)
}
