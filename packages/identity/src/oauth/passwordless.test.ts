import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, openBrowser, payloadOf, toldClient } from './fixture.ts'
import { OTP, withCodes } from './passwordless-fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NUMBER = '+4366012345678'

const settle = (options?: object) => withCodes(identity, options)

const refused = (answer: Answer, status: number, error: string, error_description?: string) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (error_description) assert.equal(answer.json.error_description, error_description)
}
const WRONG = 'Wrong email or verification code.'

test('a code that was sent by mail signs in, once, and whoever comes for the first time becomes a user', async () => {
  const { env, client_id, start, sign, codeFor } = await settle()
  const started = await start('Anna@example.test')
  assert.equal(started.status, 200, started.text)
  const { _id, ...shown } = started.json
  assert.match(_id, /^[0-9a-f]{24}$/)
  assert.deepEqual(shown, { email: 'Anna@example.test', email_verified: false })
  const otp = await codeFor('anna@example.test')
  const scope = 'openid email offline_access'
  const answers = await Promise.all(Array.from({ length: 3 }, () => sign('anna@example.test', otp, { scope })))
  const [tokens, ...more] = answers.filter(({ status }) => status === 200)
  assert.ok(tokens, answers[0]!.text)
  assert.deepEqual(more, [])
  for (const answer of answers.filter(({ status }) => status !== 200)) refused(answer, 403, 'invalid_grant', WRONG)
  const claims = payloadOf(tokens.json.id_token)
  assert.match(claims.sub, /^email\|[0-9a-f]{24}$/)
  assert.deepEqual([claims.email, claims.email_verified, claims.aud], ['anna@example.test', true, client_id])
  const form = { grant_type: 'refresh_token', client_id, refresh_token: tokens.json.refresh_token }
  assert.equal((await env.request('/oauth/token', { form })).status, 200)

  await start('ANNA@example.test')
  const again = await sign('ANNA@example.test', await codeFor('anna@example.test'), { scope })
  assert.equal(payloadOf(again.json.id_token).sub, claims.sub)
  const user = (await env.manage('GET', `/users/${encodeURIComponent(claims.sub)}`)).json
  assert.deepEqual([user.logins_count, user.identities[0].connection], [2, 'email'])
  const dump = JSON.stringify(
    await identity.database.inEnvironment(env.id, (tx) => tx`select * from passwordless_codes`),
  )
  assert.ok(!dump.includes(otp))
})

test('a code by text message goes to the one form of a number, and its user has that number', async () => {
  const { env, text, sign, codeFor } = await settle()
  const started = await text('+43 660 1234-5678')
  assert.equal(started.status, 200, started.text)
  const { _id, ...shown } = started.json
  assert.deepEqual(shown, { phone_number: NUMBER, phone_verified: false })
  const answer = await sign(NUMBER, await codeFor(NUMBER), { scope: 'openid phone' })
  assert.equal(answer.status, 200, answer.text)
  const claims = payloadOf(answer.json.id_token)
  assert.match(claims.sub, /^sms\|[0-9a-f]{24}$/)
  assert.deepEqual([claims.phone_number, claims.phone_number_verified], [NUMBER, true])
  const user = (await env.manage('GET', `/users/${encodeURIComponent(claims.sub)}`)).json
  assert.deepEqual([user.phone_number, user.phone_verified, user.name], [NUMBER, true, NUMBER])
  refused(await sign(NUMBER, '000000'), 403, 'invalid_grant', 'Wrong phone number or verification code.')
})

test('N105 a code is good for its address, its client, its environment, three tries and three minutes', async () => {
  const { world, start, sign, codeFor, client_id } = await settle()
  const other = await settle()
  const [anna, tom] = ['anna@example.test', 'tom@example.test']
  await start(anna)
  await start(tom)
  const code = await codeFor(anna)
  const toms = await codeFor(tom)
  if (code !== toms) refused(await sign(tom, code), 403, 'invalid_grant', WRONG)
  await other.start(anna)
  const foreign = await other.codeFor(anna)
  if (foreign !== code) refused(await other.sign(anna, code), 403, 'invalid_grant', WRONG)
  const second = await world.client({ app_type: 'native', grant_types: [OTP] })
  await world.env.manage(
    'PATCH',
    `/connections/${(await world.env.manage('GET', '/connections?name=email')).json[0].id}/clients`,
    [{ client_id: second.client_id, status: true }],
  )
  refused(await sign(anna, code, { client_id: second.client_id }), 403, 'invalid_grant', WRONG)
  assert.equal((await sign(anna, ` ${code.slice(0, 3)} ${code.slice(3)} `)).status, 200)

  await start(anna)
  const next = await codeFor(anna)
  const wrong = next === '000000' ? '000001' : '000000'
  for (let n = 0; n < 3; n++) refused(await sign(anna, wrong), 403, 'invalid_grant', WRONG)
  refused(await sign(anna, next), 403, 'invalid_grant', WRONG)
  await start(anna)
  const late = await codeFor(anna)
  identity.clock.advance(181)
  refused(await sign(anna, late), 403, 'invalid_grant', WRONG)
  assert.ok(client_id)
})

test('a new code takes the place of the one before', async () => {
  const { start, sign, codeFor } = await settle()
  await start('anna@example.test')
  const first = await codeFor('anna@example.test')
  await start('anna@example.test')
  const second = await codeFor('anna@example.test')
  if (first !== second) refused(await sign('anna@example.test', first), 403, 'invalid_grant', WRONG)
  assert.equal((await sign('anna@example.test', second)).status, 200)
})

test('N91 guesses are counted over all codes, and those that are right are not evaluated any more', async () => {
  const { start, sign, codeFor } = await settle()
  let refusals = 0
  for (let round = 0; round < 4; round++) {
    await start('anna@example.test')
    const code = await codeFor('anna@example.test')
    for (let n = 0; n < 3; n++) {
      const answer = await sign('anna@example.test', code === '111111' ? '222222' : '111111')
      if (answer.status === 429) refusals++
    }
  }
  assert.equal(refusals, 2)
  await start('anna@example.test')
  refused(await sign('anna@example.test', await codeFor('anna@example.test')), 429, 'too_many_attempts')
})

test('N87 where nobody new may come, a stranger gets the same answer and no mail', async () => {
  const { env, start, sign, inbox } = await settle({ disable_signup: true })
  const answer = await start('stranger@example.test')
  assert.deepEqual([answer.status, Object.keys(answer.json)], [200, ['_id', 'email', 'email_verified']])
  assert.deepEqual(await inbox('stranger@example.test'), [])
  refused(await sign('stranger@example.test', '123456'), 403, 'invalid_grant', WRONG)
  assert.deepEqual((await env.manage('GET', '/users')).json, [])
})

test('N106 messages are limited by recipient and by address, whatever the number of recipients', async () => {
  const { start, text, inbox } = await settle()
  const answers = []
  for (let n = 0; n < 7; n++) answers.push(await start('anna@example.test'))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 200, 429, 429],
  )
  assert.equal((await inbox('anna@example.test')).length, 5)
  const others = []
  for (let n = 0; n < 5; n++) others.push((await text(`+43660000000${n}`)).status)
  assert.deepEqual(others, [200, 200, 200, 429, 429])
  const elsewhere = await settle()
  assert.equal((await elsewhere.start('anna@example.test')).status, 200)
})

test('N87 CWE-204 where nobody new may come, the limit by recipient is the same for whoever is there and whoever is not', async () => {
  const { env, email, start, sign, inbox, codeFor } = await settle()
  await start('anna@example.test')
  assert.equal((await sign('anna@example.test', await codeFor('anna@example.test'))).status, 200)
  await env.manage('PATCH', `/connections/${email.id}`, { options: { disable_signup: true } })
  const seven = async (address: string) => {
    identity.clock.advance(7200)
    const answers = []
    for (let n = 0; n < 7; n++) {
      const { status, json } = await start(address)
      answers.push([status, json.error ?? Object.keys(json)])
    }
    return answers
  }
  const known = await seven('anna@example.test')
  assert.deepEqual(
    known.map(([status]) => status),
    [200, 200, 200, 200, 200, 429, 429],
  )
  assert.deepEqual(await seven('stranger@example.test'), known)
  assert.deepEqual(await inbox('stranger@example.test'), [])
})

test('what cannot be asked for is refused in Auth0’s words', async () => {
  const { world, start, text, sign, client_id } = await settle()
  refused(
    await start('anna@example.test', { connection: 'people' }),
    400,
    'bad.connection',
    'Connection does not exist',
  )
  refused(await start('nobody'), 400, 'bad.email')
  refused(await start('a@example.test,b@example.test'), 400, 'bad.email')
  refused(await text('12345'), 400, 'bad.phone_number')
  refused(await start('anna@example.test', { send: 'carrier pigeon' }), 400, 'bad.send')
  refused(await start('anna@example.test', { client_id: 'unknown' }), 401, 'access_denied')
  refused(await start('anna@example.test', { client_secret: 'wrong' }), 401, 'access_denied')
  refused(await sign('anna@example.test', '1', { realm: 'people' }), 403, 'unauthorized_client')
  refused(await sign('anna@example.test', ''), 400, 'invalid_request', 'Missing required parameter: otp')
  const sent = await world.env.request('/passwordless/start', {
    body: { client_id, connection: 'email', email: 'anna@example.test', send: 'code', authParams: { scope: 'openid' } },
  })
  assert.equal(sent.status, 200, sent.text)
})

test('N02 an organization lets in its members, those that join by signing in, and nobody else', async () => {
  const { world, env, email, start, sign, codeFor } = await settle()
  const organization = async (name: string, more: object = {}) =>
    (await world.make('/organizations', { name, enabled_connections: [{ connection_id: email.id, ...more }] })).id
  const [open, closed, without] = [
    await organization('open', { assign_membership_on_login: true }),
    await organization('closed'),
    await world.organization('without'),
  ]
  const enter = async (organization: string) => {
    await start('anna@example.test')
    return sign('anna@example.test', await codeFor('anna@example.test'), { organization, audience: AUDIENCE })
  }
  const entered = await enter(open)
  assert.equal(entered.status, 200, entered.text)
  assert.equal(payloadOf(entered.json.access_token).org_id, open)
  refused(await enter(closed), 403, 'access_denied')
  await start('anna@example.test')
  const code = await codeFor('anna@example.test')
  refused(await sign('anna@example.test', code, { organization: without }), 403, 'unauthorized_client')
  const [user] = (await env.manage('GET', '/users')).json
  await env.manage('PATCH', `/users/${encodeURIComponent(user.user_id)}`, { blocked: true })
  refused(await sign('anna@example.test', code), 403, 'unauthorized', 'user is blocked')
})

test('messages speak the language that was asked for, and are worded with Auth0’s older marks as well', async () => {
  const { env, client_id, email, sms, text, inbox } = await settle()
  const change = async (id: string, options: object) => {
    const { status, text } = await env.manage('PATCH', `/connections/${id}`, { options })
    assert.equal(status, 200, text)
  }
  const body =
    '{% if request_language contains "fr" %}Votre code: {% else %}Your code: {% endif %}@@password@@ ({{ user.email }})'
  await change(email.id, { email: { subject: 'x', body, from: '{{ application.name }} <mail@example.test>' } })
  await change(sms.id, { template: 'Your verification code is: @@password@@' })
  await text(NUMBER)
  assert.match((await inbox(NUMBER))[0]!.text, /^Your verification code is: \d{6}$/)
  const asked = { client_id, connection: 'email', email: 'anna@example.test', send: 'code' }
  await env.request('/passwordless/start', { form: asked, headers: { 'x-request-language': 'fr-FR' } })
  const [mail] = (await env.request('/dev/mail.json?to=anna@example.test')).json
  assert.match(mail.html, /^Votre code: \d{6} \(anna@example\.test\)$/)
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select sender from messages where recipient = 'anna@example.test'`,
  )
  assert.equal(row!.sender, '"Field app" <mail@example.test>')
})

test('options: the length and life of codes, the words of messages; what nobody obeys is refused by name', async () => {
  const { env, world, email, sms, start, text, inbox, codeFor, sign } = await settle({
    totp: { length: 8, time_step: 600 },
  })
  assert.deepEqual(email.options, {
    totp: { length: 8, time_step: 600 },
    disable_signup: false,
    brute_force_protection: true,
  })
  const change = (id: string, options: object) => env.manage('PATCH', `/connections/${id}`, { options })
  const subject = 'Für {{ application.name }}'
  await change(email.id, { email: { subject, body: '<p>Code: {{ code }}</p>', from: 'Stockroom <mail@example.test>' } })
  await change(sms.id, { template: '{{ code }} – {{ client_name }}', totp: { length: 8 } })
  await text(NUMBER)
  const [message] = await inbox(NUMBER)
  assert.match(message!.text, /^\d{8} – Field app$/)
  await start('anna@example.test')
  const [mail] = (await env.request('/dev/mail.json?to=anna@example.test')).json
  assert.deepEqual([mail.subject, /^<p>Code: \d{6}<\/p>$/.test(mail.html)], ['Für Field app', true])
  assert.equal((await sign('anna@example.test', await codeFor('anna@example.test'))).status, 200)

  const cases: [string, object, number, RegExp][] = [
    [sms.id, { twilio_sid: 'AC1', twilio_token: 'x' }, 501, /twilio_sid/],
    [sms.id, { provider: 'sms_gateway', gateway_url: 'https://sms.example.test' }, 501, /provider/],
    [sms.id, { email: { subject: 'x' } }, 400, /options\.email/],
    [email.id, { template: 'x' }, 400, /options\.template/],
    [email.id, { passwordPolicy: 'good' }, 400, /passwordPolicy/],
    [email.id, { email: { body: '{{ code' } }, 400, /email\.body/],
    [email.id, { email: { from: 'nobody' } }, 400, /email\.from/],
    [email.id, { totp: { length: 4 } }, 400, /totp/],
    [world.connection.id, { totp: { length: 6 } }, 400, /options\.totp/],
  ]
  for (const [id, options, status, message] of cases) {
    const answer = await change(id, options)
    assert.equal(answer.status, status, JSON.stringify(options) + answer.text)
    assert.match(answer.json.message, message)
  }
})

async function onPage(parameters: Record<string, string> = {}, options: object = {}) {
  const settled = await settle(options)
  const { world, env, client_id } = settled
  const request = world.authorize({ client_id, scope: 'openid email', audience: '', ...parameters })
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(request.path))
  return { ...settled, browser, page, verifier: request.verifier }
}

test('on the page: whom the code goes to, then the code, and the browser is signed in', async () => {
  const { browser, page, codeFor, inbox, world, client_id, verifier } = await onPage()
  assert.match(page.text, /action="\/u\/login\/code"/)
  const wrong = await browser.submit(page, { recipient: 'nobody' })
  assert.deepEqual([wrong.status, wrong.text.includes('Type an email address, or a phone number')], [400, true])
  const challenge = await browser.follow(await browser.submit(page, { recipient: 'Anna@example.test' }))
  assert.match(challenge.text, /If anna@example\.test can sign in here/)
  const code = await codeFor('anna@example.test')
  const bad = await browser.submit(challenge, { code: code === '000000' ? '111111' : '000000' })
  assert.deepEqual([bad.status, bad.text.includes('That isn’t the code')], [400, true])
  const done = await browser.follow(await browser.submit(challenge, { code }))
  const told = toldClient(done)
  const tokens = await world.exchange(told.code!, verifier, { client_id })
  assert.equal(payloadOf(tokens.json.id_token).email, 'anna@example.test')
  assert.equal((await inbox('anna@example.test')).length, 1)
})

test('N105 the link in a mail opens the page with the code, uses nothing up, and is worth nothing in another browser', async () => {
  const { env, browser, page, inbox, sign, codeFor } = await onPage()
  const challenge = await browser.follow(await browser.submit(page, { recipient: 'anna@example.test' }))
  const [mail] = await inbox('anna@example.test')
  const link = new URL(mail!.links[0]!)
  assert.equal(link.pathname, '/u/login/code-challenge')
  const other = await openBrowser(env).visit(link.pathname + link.search)
  assert.equal(other.status, 400)
  const code = await codeFor('anna@example.test')
  for (let n = 0; n < 3; n++) {
    const opened = await browser.visit(link.pathname + link.search)
    assert.match(opened.text, new RegExp(`name="code"[^>]* value="${code}"`))
  }
  // A code of a login is none at the token endpoint.
  refused(await sign('anna@example.test', code), 403, 'invalid_grant', WRONG)
  assert.ok(toldClient(await browser.follow(await browser.submit(challenge, { code }))).code)
})

test('another code can be sent, to another address too; the one of another login is not taken', async () => {
  const { env, world, client_id, browser, page, codeFor } = await onPage()
  const challenge = await browser.follow(await browser.submit(page, { recipient: 'anna@example.test' }))
  const first = await codeFor('anna@example.test')
  const state = /name="state" value="([^"]+)"/.exec(challenge.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(challenge.text)![1]!
  const form = { state, _csrf, action: 'resend' }
  const resent = await browser.visit('/u/login/code-challenge', { form, headers: { origin: env.origin } })
  assert.match(resent.text, /Another code is on its way/)
  const second = await codeFor('anna@example.test')
  if (first !== second) assert.equal((await browser.submit(challenge, { code: first })).status, 400)

  const another = openBrowser(env)
  const path = world.authorize({ client_id, scope: 'openid', audience: '' }).path
  const start = await another.follow(await another.visit(path))
  const theirs = await another.follow(await another.submit(start, { recipient: 'anna@example.test' }))
  const third = await codeFor('anna@example.test')
  if (third !== second) assert.equal((await another.submit(theirs, { code: second })).status, 400)
  assert.ok(toldClient(await browser.follow(await browser.submit(challenge, { code: second }))).code)
})

test('where there are passwords too their page comes first, and each leads to the other', async () => {
  const { world, env, client_id } = await settle()
  await env.manage('PATCH', `/connections/${world.connection.id}/clients`, [{ client_id, status: true }])
  const browser = openBrowser(env)
  const path = world.authorize({ client_id, scope: 'openid', audience: '' }).path
  const page = await browser.follow(await browser.visit(path))
  assert.match(page.text, /name="password"/)
  const [, link] = /href="(\/u\/login\/code\?state=[^"]+)"/.exec(page.text)!
  const codes = await browser.visit(link!)
  assert.match(codes.text, /name="recipient"/)
  assert.match(codes.text, /href="\/u\/login\?state=/)
  const named = world.authorize({ client_id, scope: 'openid', audience: '', connection: 'sms' }).path
  const only = await browser.follow(await browser.visit(named))
  assert.match(only.text, /autocomplete="tel"/)
  assert.doesNotMatch(only.text, /href="\/u\/login\?state=/)
})
