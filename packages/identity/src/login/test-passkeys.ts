/** Fixture: people who sign in on pages that know passkeys, with an authenticator made of software. */
import assert from 'node:assert/strict'
import {
  type Browser,
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  toldClient,
  type World,
} from '../oauth/fixture.ts'
import type { Answer, TestIdentity } from '../testing.ts'
import { type Credential, type Lies, make } from './webauthn/fixture.ts'

/** What the page says of a passkey that does not sign in. */
export const REFUSED = 'That passkey can’t be used here. Try again, or sign in with your password.'
/** What it says when none was made. */
export const NOT_CREATED = 'No passkey was created. Try again, or do it another time.'
/** What the connection has said about passwords before. */
const POLICY = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }

/** The options that a page carries for its script. */
export const optionsOf = (page: Answer) => {
  const found = /data-options="([^"]*)"/.exec(page.text)
  assert.ok(found, `no passkey is asked for: ${page.status} ${page.text.slice(0, 300)}`)
  return JSON.parse(found[1]!.replaceAll('&#34;', '"').replaceAll('&quot;', '"').replaceAll('&amp;', '&'))
}

/** Whether it offers to make a passkey. */
export const isEnrollment = (page: Answer) => page.text.includes('action="/u/passkey-enrollment"')

/** Anna of Acme, whose connection has passkeys on; with further options of the connection. */
export async function settle(identity: TestIdentity, options: object = {}) {
  const world = await createWorld(identity)
  const turned = await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    options: { ...POLICY, authentication_methods: { passkey: { enabled: true } }, ...options },
  })
  assert.equal(turned.status, 200, turned.text)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  return { ...at(identity, world, acme), world, acme, anna }
}

/** What browsers do at a world's pages, for members of an organization. */
export function at(identity: TestIdentity, world: World, acme: string) {
  const { env } = world
  const open = async (browser: Browser, parameters: Record<string, string> = {}) =>
    browser.follow(await browser.visit(world.authorize({ organization: acme, ...parameters }).path))
  const post = (browser: Browser, page: Answer, answer: unknown, path = '/u/login') =>
    browser.visit(path, {
      form: {
        state: /name="state" value="([^"]+)"/.exec(page.text)![1]!,
        _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!,
        passkey: JSON.stringify(answer),
      },
      headers: { origin: env.origin },
    })
  const withPassword = async (browser: Browser, person: Person, more: Record<string, string> = {}) => {
    const page = await open(browser, { prompt: 'login' })
    const form = { username: person.email, password: PASSWORD, 'webauthn-available': 'true', ...more }
    return browser.follow(await browser.submit(page, form))
  }
  /** A sign-in with the password that ends with a passkey. */
  const enrolled = async (person: Person, lies: Lies = {}): Promise<Credential> => {
    const browser = openBrowser(env)
    const page = await withPassword(browser, person)
    assert.ok(isEnrollment(page), page.text.slice(0, 500))
    const { credential, answer } = make(env.origin, optionsOf(page), lies)
    const done = await browser.follow(await post(browser, page, answer, '/u/passkey-enrollment'))
    assert.ok(toldClient(done).code, done.text.slice(0, 300))
    return credential
  }
  const methods = () =>
    identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ id: string; user_id: string; sign_count: string; name: string; transports: string[] }[]>`
        select id, user_id, sign_count, name, transports, relying_party_identifier, credential_device_type, last_auth_at
        from authentication_methods order by id`,
    )
  return { open, post, withPassword, enrolled, methods }
}
