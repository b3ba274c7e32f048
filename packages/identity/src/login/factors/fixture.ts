/** What tests of second factors start from: a phone that makes values, a mailbox that is read. */

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Secret, TOTP } from 'otpauth'
import { type Browser, createWorld, openBrowser, PASSWORD } from '../../oauth/fixture.ts'
import type { Answer, MovableClock, TestEnvironment, TestIdentity } from '../../testing.ts'

/** An authenticator app with one secret. @param ahead steps of thirty seconds before or after now */
export const authenticator =
  (secret: string, clock: MovableClock) =>
  (ahead = 0): string =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now().getTime() + ahead * 30_000 })

/** The code that an address or a number was sent last. */
export async function codeFor(env: TestEnvironment, recipient: string): Promise<string> {
  const { json } = await env.request(`/dev/mail.json?to=${encodeURIComponent(recipient)}`)
  const code = /\b\d{6}\b/.exec(json[0]?.text ?? '')?.[0]
  assert.ok(code, `no code was sent to ${recipient}`)
  return code
}

export async function turnOn(env: TestEnvironment, ...factors: string[]): Promise<void> {
  for (const name of factors) {
    const { status, text } = await env.manage('PUT', `/guardian/factors/${name}`, { enabled: true })
    assert.equal(status, 200, text)
  }
}

export async function demandAlways(env: TestEnvironment): Promise<void> {
  assert.equal((await env.manage('PUT', '/guardian/policies', ['all-applications'])).status, 200)
}

const hiddenOf = (form: string) =>
  Object.fromEntries(
    [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((found) => [found[1]!, found[2]!]),
  )

/** Presses the button of a page that sends this action, with what is typed into its form, and follows. */
export async function press(
  browser: Browser,
  page: Answer,
  action: string,
  values: Record<string, string> = {},
): Promise<Answer> {
  const form = [...page.text.matchAll(/<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/g)].find(([text]) =>
    text.includes(`name="action" value="${action}"`),
  )
  assert.ok(form, `no button ${action} on this page: ${page.status} ${page.text.slice(0, 300)}`)
  return browser.follow(await browser.visit(form[1]!, { form: { ...hiddenOf(form[2]!), ...values, action } }))
}

export const isPage = (answer: Answer, name: string): void => {
  assert.equal(answer.status, 200, `${answer.headers.location} ${answer.text.slice(0, 300)}`)
  assert.ok(
    answer.text.includes(`action="/u/${name}"`),
    `this is not /u/${name}: ${/action="[^"]+"/.exec(answer.text)}`,
  )
}

/** An application without organizations in which somebody signs in. */
export async function somebody(identity: TestIdentity, on: string[], settings: object = {}) {
  const world = await createWorld(identity, { organization_usage: 'allow', ...settings })
  await turnOn(world.env, ...on)
  const person = await world.person('anna@example.test')
  const browser = openBrowser(world.env)
  /** As far as it goes with the password. */
  const enter = async (parameters: Record<string, string> = {}, with_ = browser) => {
    const { path, verifier } = world.authorize(parameters)
    const page = await with_.follow(await with_.visit(path))
    if (!page.text.includes('id="username"')) return { page, verifier }
    return {
      page: await with_.follow(await with_.submit(page, { username: person.email, password: PASSWORD })),
      verifier,
    }
  }
  return { world, env: world.env, person, browser, enter }
}

/** On the page that shows a secret: enrolls with an app of its own. */
export async function enrolApp(browser: Browser, page: Answer, clock: MovableClock) {
  isPage(page, 'mfa-otp-enrollment')
  const secret = /<code id="secret">([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(' ', '')
  const app = authenticator(secret, clock)
  const next = await press(browser, page, 'default', { code: app() })
  // What was typed counts once.
  clock.advance(30)
  return { app, next }
}

/** The types of entries of the tenant log, once they hold this one: entries are gathered for a moment. */
export async function logged(env: TestEnvironment, type: string): Promise<string[]> {
  let types: string[] = []
  for (let tries = 0; tries < 3_000 && !types.includes(type); tries++) {
    const { json } = await env.manage('GET', '/logs?take=100')
    types = (json as { type: string }[]).map((entry) => entry.type)
    if (!types.includes(type)) await sleep(20)
  }
  assert.ok(types.includes(type), `${type} is missing: ${types}`)
  return types
}
