/** Every page of the issuer in every state that it can be opened in. */
import type { Page } from 'playwright-core'
import { LONG_ADDRESS, LONG_NAME, type PagesWorld, press, signIn } from './pages-world.ts'
import type { SignInWorld } from './sign-in-world.ts'

export interface State {
  name: string
  /** A context of its own: the state needs a browser that is signed in. */
  own?: boolean
  open(page: Page): Promise<unknown>
}

/** In this order: mails are looked at after what sends them. */
export function statesOf({ env, make }: SignInWorld, pages: PagesWorld): State[] {
  const { authorize, choosing, client, inBlue, invite, issuer, mailTo, member, organizations, ticket } = pages
  const signedIn = async (page: Page) => {
    await page.goto(inBlue())
    await signIn(page)
  }
  return [
    { name: 'organization', open: (page) => page.goto(authorize()) },
    {
      name: 'organization-refused',
      async open(page) {
        await page.goto(authorize())
        await page.fill('#organizationName', 'blue kites')
        await press(page)
      },
    },
    {
      name: 'organization-picker',
      own: true,
      async open(page) {
        await page.goto(authorize({ client_id: choosing }))
        await signIn(page)
      },
    },
    {
      name: 'organization-picker-search',
      own: true,
      async open(page) {
        await page.goto(authorize({ client_id: choosing }))
        await signIn(page)
        await page.goto(`${page.url()}&q=nowhere`)
      },
    },
    { name: 'login', open: (page) => page.goto(inBlue()) },
    {
      name: 'login-refused',
      async open(page) {
        await page.goto(inBlue())
        await signIn(page, 'nobody@bluekite.example', 'wrong')
      },
    },
    {
      name: 'login-chosen-organization',
      async open(page) {
        await page.goto(authorize())
        await page.fill('#organizationName', 'Marigold')
        await press(page)
        await page.fill('#password', 'shown in clear')
        await page.click('.reveal button')
      },
    },
    {
      name: 'login-hostile',
      open: (page) => page.goto(authorize({ organization: organizations.hostile, login_hint: LONG_ADDRESS })),
    },
    {
      name: 'invitation-new',
      open: async (page) => page.goto(await invite('new@bluekite.example')),
    },
    {
      name: 'invitation-new-refused',
      async open(page) {
        await page.goto(await invite('new@bluekite.example'))
        await page.fill('#password', 'short')
        await press(page)
      },
    },
    {
      name: 'invitation-hostile',
      open: async (page) => page.goto(await invite(LONG_ADDRESS, LONG_NAME.slice(0, 200), organizations.hostile)),
    },
    {
      name: 'invitation-username-refused',
      async open(page) {
        await page.goto(await invite('new@northwind.example', 'Anna Reed', organizations.named))
        await page.fill('#username', 'not one')
        await page.fill('#password', 'three random words')
        await press(page)
      },
    },
    {
      name: 'invitation-code',
      open: async (page) => page.goto(await invite('new@harbour.example', 'Anna Reed', organizations.coded)),
    },
    {
      name: 'invitation-account',
      open: async (page) => page.goto(await invite('anna@bluekite.example')),
    },
    {
      name: 'invitation-account-refused',
      async open(page) {
        await page.goto(await invite('anna@bluekite.example'))
        await page.fill('#password', 'wrong')
        await press(page)
      },
    },
    {
      name: 'invitation-signed-in',
      own: true,
      async open(page) {
        await signedIn(page)
        await page.goto(await invite('anna@bluekite.example'))
      },
    },
    {
      name: 'invitation-refused',
      open: (page) => page.goto(authorize({ organization: organizations.blue, invitation: 'used' })),
    },
    { name: 'email-verification', open: async (page) => page.goto(await ticket('email-verification')) },
    {
      name: 'email-verification-hostile',
      open: async (page) => page.goto(await ticket('email-verification', LONG_ADDRESS)),
    },
    {
      name: 'email-verification-done',
      async open(page) {
        await page.goto(await ticket('email-verification'))
        await press(page)
      },
    },
    { name: 'reset-verify', open: async (page) => page.goto(await ticket('password-change')) },
    {
      name: 'reset-verify-refused',
      async open(page) {
        await page.goto(await ticket('password-change'))
        await page.fill('#password', 'copper lantern drift')
        await page.fill('#confirm', 'copper lantern drifts')
        await press(page)
      },
    },
    {
      name: 'reset-verify-done',
      async open(page) {
        await page.goto(await ticket('password-change', 'forgetful@bluekite.example'))
        await page.fill('#password', 'another lantern drift')
        await page.fill('#confirm', 'another lantern drift')
        await press(page)
      },
    },
    { name: 'ticket-refused', open: (page) => page.goto(issuer('/u/reset-verify?ticket=gone')) },
    {
      name: 'mail-verification',
      async open(page) {
        await member('asked@bluekite.example')
        const [{ user_id }] = (await env.manage('GET', '/users-by-email?email=asked@bluekite.example')).json
        await make('/jobs/verification-email', { user_id, client_id: client })
        await page.setContent((await mailTo('asked@bluekite.example')).html)
      },
    },
    { name: 'expired', open: (page) => page.goto(issuer('/u/login?state=gone')) },
    {
      name: 'wrong-redirect-uri',
      open: (page) => page.goto(authorize({ redirect_uri: 'https://elsewhere.example/callback' })),
    },
    {
      name: 'action-failed',
      own: true,
      async open(page) {
        await page.goto(inBlue())
        await signIn(page, 'stopped@bluekite.example')
      },
    },
    {
      name: 'logout',
      own: true,
      async open(page) {
        await signedIn(page)
        await page.goto(issuer('/oidc/logout'))
      },
    },
    { name: 'signed-out', open: (page) => page.goto(issuer('/v2/logout')) },
    {
      // Its script would send it at once.
      name: 'form-post',
      async open(page) {
        await page.route('**/u/assets/login.js*', (route) => route.abort())
        await page.goto(`${inBlue()}&response_mode=form_post&prompt=none`)
      },
    },
    {
      name: 'mailbox',
      async open(page) {
        await mailTo(LONG_ADDRESS)
        await page.goto(issuer('/dev/mail'))
      },
    },
    {
      name: 'mailbox-message',
      async open(page) {
        await page.goto(issuer(`/dev/mail/${(await mailTo(LONG_ADDRESS)).id}`))
        await page.click('summary')
      },
    },
    { name: 'mailbox-nothing', open: (page) => page.goto(issuer('/dev/mail?to=nobody@bluekite.example')) },
    {
      name: 'mail',
      open: async (page) => page.setContent((await mailTo('new@bluekite.example')).html),
    },
  ]
}
