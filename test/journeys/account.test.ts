/** The account page and those of passkeys, looked at in a real browser, and used in it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator } from '@tenantry/identity/login/factors/fixture.ts'
import type { TestEnvironment, TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, Page } from 'playwright-core'
import { inspect } from './inspection.ts'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

const LONG = `Vereinigte ${'Ober'.repeat(30)}österreich "><script>document.title='broken out'</script><img src=x>`
const LONG_ADDRESS = `maria.${'magdalena.'.repeat(4)}oberhuber@${'lagerverwaltung.'.repeat(6)}example`

let world: SignInWorld
let identity: TestIdentity
let env: TestEnvironment
let browser: Browser
let client: string
let callback: string

before(async () => {
  world = await startSignInWorld()
  ;({ browser, identity, env, callback } = world)
  client = await world.client({ initiate_login_uri: callback })
  const options = { passwordPolicy: 'none', authentication_methods: { passkey: { enabled: true } } }
  await make('/connections', { name: 'people', strategy: 'auth0', options, enabled_clients: [client] })
})
after(() => world?.close())

const make: SignInWorld['make'] = (path, body) => world.make(path, body)

const at = (path: string) => new URL(path, env.origin).href
const authorize = () => world.authorize(client, { prompt: 'login' })

/** Somebody who is in an organization, invited to another, and has a passkey and an authenticator app. */
async function somebody(email: string, name: string): Promise<void> {
  const { user_id } = await make('/users', { connection: 'people', email, password: PASSWORD, email_verified: true })
  const slug = email.split('@')[0]!.replaceAll('.', '-').slice(0, 30)
  const [one, two] = [
    await make('/organizations', { name: `${slug}-one`, display_name: name }),
    await make('/organizations', { name: `${slug}-two`, display_name: name }),
  ]
  await make(`/organizations/${one.id}/members`, { members: [user_id] })
  await make(`/organizations/${two.id}/invitations`, {
    inviter: { name: name.slice(0, 200) },
    invitee: { email },
    client_id: client,
    send_invitation_email: false,
  })
  await identity.database.inEnvironment(env.id, async (tx) => {
    for (const [type, label] of [
      ['passkey', name.slice(0, 100)],
      ['totp', null],
    ] as const) {
      await tx`insert into authentication_methods (environment_id, id, user_id, type, confirmed, name, created_at)
        values (${env.id}, ${`${type}|dev_${slug}`}, ${user_id!}, ${type}, true, ${label}, now())`
    }
  })
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.fill('#username', email)
  await page.fill('#password', PASSWORD)
  await Promise.all([page.waitForNavigation(), page.click(submit)])
}

const enter = (email: string) => async (page: Page) => {
  await page.goto(at('/account'))
  await signIn(page, email)
  assert.equal(await page.textContent('h1'), 'Your account')
}

test('the account page and those of passkeys satisfy axe at every width, in both themes, with hostile names', async (t) => {
  await somebody('anna@bluekite.example', 'Blue Kite')
  await somebody(LONG_ADDRESS, LONG)
  await make('/users', { connection: 'people', email: 'new@bluekite.example', password: PASSWORD })
  const states: [name: string, open: (page: Page) => Promise<unknown>][] = [
    ['account', enter('anna@bluekite.example')],
    ['account-hostile', enter(LONG_ADDRESS)],
    [
      'account-rename',
      async (page) => {
        await enter('anna@bluekite.example')(page)
        await page.click('.acts summary')
      },
    ],
    [
      'account-refused',
      async (page) => {
        await enter('anna@bluekite.example')(page)
        for (const field of ['current', 'password', 'confirm']) await page.fill(`#${field}`, 'wrong')
        await Promise.all([page.waitForNavigation(), page.click(submit)])
      },
    ],
    [
      'account-not-fresh',
      async (page) => {
        await enter('anna@bluekite.example')(page)
        identity.clock.advance(601)
        await page.reload()
      },
    ],
    [
      'login-passkey',
      async (page) => {
        await page.goto(authorize())
        await page.waitForSelector('form[data-passkey=get] button', { state: 'visible' })
        assert.equal(await page.isVisible('[data-passkey-failed]'), false)
      },
    ],
    [
      'passkey-enrollment',
      async (page) => {
        await page.goto(authorize())
        await signIn(page, 'new@bluekite.example')
      },
    ],
  ]
  for (const [name, open] of states) {
    await t.test(name, async () => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })
      await inspect(await context.newPage(), name, open)
      await context.close()
    })
  }
})

test('a passkey is added on the account page in a browser; without JavaScript everything else works', async () => {
  await make('/users', { connection: 'people', email: 'berta@bluekite.example', password: PASSWORD })
  const context = await browser.newContext()
  const page = await context.newPage()
  const protocol = await context.newCDPSession(page)
  await protocol.send('WebAuthn.enable')
  await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  await page.goto(at('/account'))
  await signIn(page, 'berta@bluekite.example')
  await Promise.all([page.waitForNavigation(), page.click('.next button')])
  await Promise.all([page.waitForURL('**/account?done=passkeys'), page.click('form[data-passkey=create] button')])
  assert.match((await page.textContent('.note.ok'))!, /Your passkey is added/)
  await context.close()

  const plain = await browser.newContext({ javaScriptEnabled: false })
  const still = await plain.newPage()
  await still.goto(at('/account'))
  await signIn(still, 'berta@bluekite.example')
  await still.fill('#current', PASSWORD)
  await still.fill('#password', 'four other random words')
  await still.fill('#confirm', 'four other random words')
  await Promise.all([still.waitForURL('**/account?done=password'), still.click(submit)])
  await still.click('form[action="/account/methods/remove"] button')
  assert.match((await still.textContent('.note.ok'))!, /It’s removed/)
  await plain.close()
})

test('an authenticator app is added on the account page without JavaScript; its page satisfies axe in every state', async () => {
  assert.equal((await env.manage('PUT', '/guardian/factors/otp', { enabled: true })).status, 200)
  const email = 'carl@bluekite.example'
  await make('/users', { connection: 'people', email, password: PASSWORD })
  const offered = async (page: Page) => {
    await page.goto(at('/account'))
    await signIn(page, email)
    const later = page.locator('.next button')
    if (await later.isVisible()) await Promise.all([page.waitForURL('**/account'), later.click()])
    assert.ok(await page.isVisible('form[action="/account/authenticator/begin"] button'))
  }
  const begin = async (page: Page) => {
    await offered(page)
    await Promise.all([
      page.waitForSelector('#secret', { state: 'attached' }),
      page.click('form[action="/account/authenticator/begin"] button'),
    ])
    assert.equal(await page.textContent('.foot a'), 'Back to your account')
  }
  const wrong = async (page: Page) => {
    await begin(page)
    await page.fill('#code', '000000')
    await Promise.all([page.waitForSelector('#form-error'), page.click(submit)])
  }
  for (const [name, open] of [
    ['account-authenticator-offered', offered],
    ['account-authenticator', begin],
    ['account-authenticator-wrong', wrong],
  ] as const) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })
    await inspect(await context.newPage(), name, open)
    await context.close()
  }

  const plain = await browser.newContext({ javaScriptEnabled: false })
  const page = await plain.newPage()
  await begin(page)
  await page.click('details.secret summary')
  const app = authenticator((await page.textContent('#secret'))!.replaceAll(' ', ''), identity.clock)
  await page.fill('#code', app())
  await Promise.all([page.waitForURL('**/account?done=authenticator'), page.click(submit)])
  assert.match((await page.textContent('.note.ok'))!, /Your authenticator app is added/)
  await plain.close()
})
