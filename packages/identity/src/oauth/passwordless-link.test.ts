import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser, payloadOf, toldClient } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const EMAIL = 'anna@example.test'

async function settle(options: object = {}) {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const email = await world.make('/connections', {
    name: 'email',
    strategy: 'email',
    enabled_clients: [world.spa],
    options,
  })
  /** As auth0-js sends it: one name in its own spelling. */
  const start = (authParams: object | undefined, more: object = {}) =>
    env.request('/passwordless/start', {
      body: { client_id: world.spa, connection: 'email', email: EMAIL, send: 'link', authParams, ...more },
    })
  const request = (more: Record<string, string> = {}) => {
    const { path, verifier } = world.authorize(more)
    const { client_id: _, ...params } = Object.fromEntries(new URLSearchParams(path.split('?')[1]))
    return { params, verifier }
  }
  const mails = async (to = EMAIL) =>
    (await env.request(`/dev/mail.json?to=${to}`)).json as {
      template: string
      subject: string
      links: string[]
      text: string
    }[]
  const linkFor = async () => {
    const { params, verifier } = request()
    const started = await start(params)
    assert.equal(started.status, 200, started.text)
    const [mail] = await mails()
    const url = new URL(mail!.links[0]!)
    return { path: url.pathname + url.search, url, verifier, mail: mail! }
  }
  return { world, env, email, start, request, mails, linkFor }
}

const refused = (answer: Answer, status: number, error: string, words?: RegExp) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (words) assert.match(answer.json.error_description, words)
}

test('a link signs in where it is opened and confirmed, and the application gets the answer to what it asked', async () => {
  const { world, env, linkFor } = await settle()
  const { path, url, verifier, mail } = await linkFor()
  assert.equal(mail.template, 'auth_email_by_link')
  assert.equal(mail.subject, 'Your link to sign in to Stockroom')
  assert.equal(url.origin + url.pathname, `${env.issuer}passwordless/verify_redirect`)
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(path))
  assert.match(page.text, /action="\/u\/login\/code-challenge"/)
  assert.ok(page.text.includes(`value="${url.searchParams.get('verification_code')}"`))
  assert.ok(page.text.includes(EMAIL))
  const code = url.searchParams.get('verification_code')!
  const { code: granted, state } = toldClient(await browser.submit(page, { code }))
  assert.equal(state, 'the-state')
  const id = payloadOf((await world.exchange(granted!, verifier)).json.id_token)
  assert.deepEqual([id.email, id.email_verified, id.nonce], [EMAIL, true, 'the-nonce'])
})

test('N105 programs that open links use nothing up; the code is good once, for some minutes and a few tries', async () => {
  const { env, linkFor } = await settle()
  const { path, url } = await linkFor()
  const code = url.searchParams.get('verification_code')!
  for (let scans = 0; scans < 6; scans++) {
    const scanner = openBrowser(env)
    assert.equal((await scanner.follow(await scanner.visit(path))).status, 200)
    assert.equal((await env.request(path, { method: 'HEAD' })).status, 302)
  }
  const users = () => identity.database.inEnvironment(env.id, (tx) => tx`select from users`)
  assert.equal((await users()).length, 0)
  const [one, two] = [openBrowser(env), openBrowser(env)]
  const pages = [await one.follow(await one.visit(path)), await two.follow(await two.visit(path))]
  const answers = await Promise.all([one.submit(pages[0]!, { code }), two.submit(pages[1]!, { code })])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 400])
  const again = openBrowser(env)
  const late = await again.follow(await again.visit(path))
  assert.equal((await again.submit(late, { code })).status, 400)

  const other = await linkFor()
  identity.clock.advance(181)
  const old = await again.follow(await again.visit(other.path))
  assert.equal((await again.submit(old, { code: other.url.searchParams.get('verification_code')! })).status, 400)
})

test('N37 whoever is signed in is not taken for the one who proves an address, nor asked silently', async () => {
  const { world, env, linkFor } = await settle()
  await env.manage('PATCH', `/clients/${world.spa}`, { organization_usage: 'allow' })
  const tom = await world.person('tom@example.test')
  const browser = openBrowser(env)
  await world.signIn(browser, tom, { connection: 'people' })
  const { path, url } = await linkFor()
  const page = await browser.follow(await browser.visit(`${path}&prompt=none`))
  assert.match(page.text, /action="\/u\/login\/code-challenge"/)
  const done = await browser.submit(page, { code: url.searchParams.get('verification_code')! })
  assert.ok(toldClient(done).code)
  const rows = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ user_id: string }[]>`select user_id from sessions`,
  )
  assert.equal(rows.length, 1)
  assert.match(rows[0]!.user_id, /^email\|/)
})

test('what a link would ask and /authorize would refuse is refused at once, and without a state there is none', async () => {
  const { start, request, mails } = await settle()
  const { params } = request()
  const { state: _, ...stateless } = params as Record<string, string>
  refused(await start(undefined), 400, 'invalid_request')
  refused(await start('text' as never), 400, 'invalid_request')
  refused(await start(stateless), 400, 'invalid_request', /authParams\.state/)
  refused(
    await start({ ...params, redirect_uri: 'https://evil.test' }),
    400,
    'invalid_request',
    /allowed callback URLs/,
  )
  refused(await start({ ...params, code_challenge: undefined }), 400, 'invalid_request', /PKCE/)
  refused(await start({ ...params, audience: 'https://unknown.test' }), 403, 'access_denied')
  refused(await start({ ...params, scope: ['openid'] }), 400, 'invalid_request')
  assert.deepEqual(await mails(), [])
  const { redirect_uri: redirectUri, response_type: responseType, ...rest } = params as Record<string, string>
  assert.equal((await start({ ...rest, redirectUri, responseType, protocol: 'oauth2' })).status, 200)
  // Without `send` a mail has a link, as at Auth0.
  assert.equal((await start(params, { send: undefined })).status, 200)
  assert.equal((await mails())[0]!.template, 'auth_email_by_link')
})

test('N106 links and codes are counted together for an address', async () => {
  const { start, request, mails } = await settle()
  const { params } = request()
  for (let n = 0; n < 5; n++) {
    assert.equal((await start(params, n % 2 ? {} : { send: 'code' })).status, 200)
  }
  refused(await start(params), 429, 'too_many_requests')
  refused(await start(params, { send: 'code' }), 429, 'too_many_requests')
  assert.equal((await mails()).length, 5)
})

test('the connection words the mail; a wording that forgets the link gives way to ours', async () => {
  const body = '<p>{{ send }} for {{ application.name }}: <a href="{{ link }}">in</a></p>'
  const { linkFor } = await settle({ email: { subject: 'Hello', body } })
  const { mail, path } = await linkFor()
  assert.equal(mail.subject, 'Hello')
  assert.match(mail.text, /link for Stockroom/)
  assert.match(path, /^\/passwordless\/verify_redirect\?/)
  const forgetful = await settle({ email: { body: '<p>{{ code }}</p>' } })
  assert.match((await forgetful.linkFor()).path, /^\/passwordless\/verify_redirect\?/)
})

test('/passwordless/verify tells a right code from a wrong one without using it up, and lets nobody guess', async () => {
  const { world, env, start, request, mails } = await settle()
  const verify = (verification_code: string, more: object = {}) =>
    env.request('/passwordless/verify', {
      body: { client_id: world.spa, connection: 'email', email: EMAIL, verification_code, ...more },
    })
  const { params, verifier } = request()
  await start(undefined, { send: 'code' })
  const code = /\b\d{6}\b/.exec((await mails())[0]!.text)![0]
  const wrong = code === '000000' ? '000001' : '000000'
  for (let n = 0; n < 4; n++) {
    const answer = await verify(code)
    // guess: an empty object; auth0-js looks only for an error
    assert.deepEqual([answer.status, answer.json], [200, {}])
  }
  refused(await verify(wrong), 403, 'invalid_grant', /^Wrong email or verification code\.$/)
  refused(await verify(code, { email: 'tom@example.test' }), 403, 'invalid_grant')
  refused(await verify(code, { connection: 'sms' }), 400, 'bad.connection')
  refused(await verify(code, { client_id: 'nobody' }), 401, 'access_denied')

  const browser = openBrowser(env)
  const query = new URLSearchParams({
    ...params,
    client_id: world.spa,
    connection: 'email',
    email: EMAIL,
    verification_code: code,
  })
  const page = await browser.follow(await browser.visit(`/passwordless/verify_redirect?${query}`))
  const told = toldClient(await browser.submit(page, { code }))
  assert.equal((await world.exchange(told.code!, verifier)).status, 200)
  refused(await verify(code), 403, 'invalid_grant')

  await start(undefined, { send: 'code' })
  const next = /\b\d{6}\b/.exec((await mails())[0]!.text)![0]
  for (let n = 0; n < 3; n++) await verify(next === wrong ? '111111' : wrong)
  refused(await verify(next), 403, 'invalid_grant')
})
