import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns, PASSWORD } from '../fixture.ts'
import { NAMES, SENT } from './schema.ts'

let identity: TestIdentity
let env: TestEnvironment
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const TEMPLATE = {
  template: 'verify_email',
  body: '<p>Hello {{ user.name }}, <a href="{{ url }}">confirm</a></p>',
  from: '{{ friendly_name }} <hello@mail.example.test>',
  resultUrl: 'https://app.example.test/done',
  subject: 'Confirm, {{ user.given_name }}',
  syntax: 'liquid',
  urlLifetimeInSeconds: 3600,
  includeEmailInRedirect: true,
  enabled: true,
}
const path = '/email-templates/verify_email'

test('a template is created once, read as it was given, set, and changed member by member', async () => {
  env = await identity.environment()
  assert.deepEqual((await env.manage('GET', path)).json, {
    statusCode: 404,
    error: 'Not Found',
    message: 'The template does not exist.',
    errorCode: 'inexistent_email_template',
  })
  const made = await env.manage('POST', '/email-templates', TEMPLATE)
  assert.deepEqual([made.status, made.json], [200, TEMPLATE])
  assert.deepEqual((await env.manage('GET', path)).json, TEMPLATE)
  assert.equal((await env.manage('POST', '/email-templates', TEMPLATE)).status, 409)
  const patched = await env.manage('PATCH', path, { subject: null, enabled: false })
  const { subject: _, ...rest } = TEMPLATE
  assert.deepEqual([patched.status, patched.json], [200, { ...rest, enabled: false }])
  const set = await env.manage('PUT', path, { template: 'verify_email', body: 'x' })
  assert.deepEqual(
    [set.status, set.json],
    [200, { template: 'verify_email', syntax: 'liquid', body: 'x', enabled: true }],
  )
  assert.deepEqual((await env.manage('GET', path)).json, set.json)
  assert.equal((await env.manage('PATCH', '/email-templates/reset_email', { body: 'x' })).status, 404)
  const other = await identity.environment()
  assert.equal((await other.manage('GET', path)).status, 404)
})

test('change_password is another name of reset_email', async () => {
  env = await identity.environment()
  await env.manage('PUT', '/email-templates/change_password', { template: 'change_password', body: 'x' })
  for (const name of ['change_password', 'reset_email']) {
    const { json } = await env.manage('GET', `/email-templates/${name}`)
    assert.deepEqual(json, { template: name, syntax: 'liquid', body: 'x', enabled: true })
  }
})

test('a template whose mail is never sent does not exist, and setting it is refused by name', async () => {
  env = await identity.environment()
  for (const name of NAMES.filter(
    (name) => name !== 'change_password' && !(SENT as readonly string[]).includes(name),
  )) {
    const body = { template: name, body: 'x' }
    const read = await env.manage('GET', `/email-templates/${name}`)
    assert.deepEqual([read.status, read.json.errorCode], [404, 'inexistent_email_template'])
    for (const answer of [
      await env.manage('POST', '/email-templates', body),
      await env.manage('PUT', `/email-templates/${name}`, body),
      await env.manage('PATCH', `/email-templates/${name}`, { body: 'x' }),
    ]) {
      assert.deepEqual([answer.status, answer.json.errorCode], [501, 'operation_not_supported'], name)
      assert.match(answer.json.message, new RegExp(name))
    }
  }
  for (const name of ['constructor', '__proto__', 'x']) {
    assert.equal((await env.manage('GET', `/email-templates/${name}`)).status, 404, name)
    assert.equal((await env.manage('PATCH', `/email-templates/${name}`, { body: 'x' })).status, 404, name)
  }
})

test('what is no Liquid that renders is refused with its line, as is a sender or address that is none', async () => {
  env = await identity.environment()
  const cases: [object, number, RegExp][] = [
    [{ body: 'a\n{% if user %}' }, 400, /'body'.*line:2/],
    [{ body: '{{ user.name | nothing }}' }, 400, /undefined filter: nothing, line:1/],
    [{ body: '{% include "/etc/passwd" %}' }, 400, /'body'/],
    [{ body: '{% for i in (1..100000000) %}x{% endfor %}' }, 400, /limit exceeded/],
    [{ body: '{% for i in (1..9000) %}{% for j in (1..9000) %}x{% endfor %}{% endfor %}' }, 400, /limit exceeded/],
    [{ subject: '{{ "a' }, 400, /'subject'/],
    [{ from: 'nobody' }, 400, /'from'/],
    [{ from: 'a@example.test, b@example.test' }, 400, /'from'/],
    [{ from: 'A <{{ user.email }}>' }, 400, /'from'/],
    [{ from: 'A\r\nBcc: x <a@example.test> <b@example.test>' }, 400, /'from'/],
    [{ resultUrl: 'javascript:alert(1)' }, 400, /'resultUrl'/],
    [{ urlLifetimeInSeconds: -1 }, 400, /urlLifetimeInSeconds/],
    [{ template: 'reset_email' }, 400, /'template'/],
    [{ syntax: 'handlebars' }, 501, /'syntax'/],
  ]
  for (const [change, status, message] of cases) {
    const answer = await env.manage('PUT', path, { ...TEMPLATE, ...change })
    assert.equal(answer.status, status, JSON.stringify(change))
    assert.match(answer.json.message, message)
  }
  assert.equal((await env.manage('GET', path)).status, 404)
  const welcome = { template: 'welcome_email', body: null, enabled: true }
  assert.equal((await env.manage('PUT', '/email-templates/welcome_email', welcome)).status, 400)
  const invitation = { template: 'user_invitation', resultUrl: 'https://app.example.test' }
  assert.equal((await env.manage('PUT', '/email-templates/user_invitation', invitation)).status, 501)
})

const HOSTILE = '<img src=x onerror=alert(1)>{{ url }}'
const mailTo = async (to: string) => (await env.request(`/dev/mail.json?to=${to}`)).json[0]
const sender = async (to: string) =>
  (await identity.database.inEnvironment(env.id, (tx) => tx`select sender from messages where recipient = ${to}`))[0]
    ?.sender

test('a mail follows its template: words, sender, lifetime, and where its link leads afterwards', async () => {
  env = await identity.environment({ friendly_name: 'Stock, "room"' })
  await createNouns(env)
  await env.manage('PUT', path, { ...TEMPLATE, body: `${TEMPLATE.body}{{ user.name | raw }}{{ nothing.here }}` })
  const to = 'maria@example.test'
  const person = { connection: 'people', email: to, password: PASSWORD, verify_email: true }
  await env.manage('POST', '/users', { ...person, name: HOSTILE, given_name: 'Maria\u2028\tB' })
  const mail = await mailTo(to)
  assert.match(mail.subject, /^Confirm, Maria/)
  assert.ok(!mail.html.includes('<img'), mail.html)
  assert.ok(mail.html.includes('&lt;img'))
  assert.equal(await sender(to), '"Stock room" <hello@mail.example.test>')
  const link = new URL(mail.links.find((address: string) => address.includes('/u/email-verification')))
  const page = await env.request(link.pathname + link.search)
  const form = { ticket: link.searchParams.get('ticket')! }
  assert.equal(page.status, 200)
  const done = await env.request('/u/email-verification', { form })
  const target = new URL(done.headers.location!)
  assert.equal(target.origin + target.pathname, 'https://app.example.test/done')
  assert.equal(target.searchParams.get('email'), to)
  const [ticketless] = await identity.database.inEnvironment(env.id, (tx) => tx`select count(*)::int as n from tickets`)
  assert.equal(ticketless!.n, 0)
})

test('a template may speak the language that was asked for, and knows the application with its metadata', async () => {
  env = await identity.environment()
  const { user, client } = await createNouns(env)
  await env.manage('PATCH', `/clients/${client.client_id}`, { client_metadata: { brand: 'north' } })
  const subject =
    '{% if request_language contains "fr" %}Bonjour{% else %}Hello{% endif %} {{ application.metadata.brand }}'
  assert.equal((await env.manage('PUT', path, { template: 'verify_email', subject, body: '{{ url }}' })).status, 200)
  const authorization = `Bearer ${await env.managementToken()}`
  for (const language of [
    { 'accept-language': 'en;q=0.2, fr-CH' },
    { 'accept-language': 'fr', 'x-request-language': 'de' },
    {},
  ]) {
    const { status } = await env.request('/api/v2/jobs/verification-email', {
      method: 'POST',
      body: { user_id: user.user_id, client_id: client.client_id },
      headers: { authorization, ...(language as Record<string, string>) },
    })
    assert.equal(status, 201)
  }
  const sent = (await env.request('/dev/mail.json')).json.map((mail: { subject: string }) => mail.subject)
  assert.deepEqual(sent.sort(), ['Bonjour north', 'Hello north', 'Hello north'])
})

test('a link lives as long as the template says; a template that is switched off sends nothing', async () => {
  env = await identity.environment()
  const { user } = await createNouns(env)
  await env.manage('PUT', path, { template: 'verify_email', urlLifetimeInSeconds: 60 })
  assert.equal((await env.manage('POST', '/jobs/verification-email', { user_id: user.user_id })).status, 201)
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select created_at, expires_at from tickets`)
  assert.equal(row!.expires_at - row!.created_at, 60_000)
  await env.manage('PATCH', path, { enabled: false })
  const off = await env.manage('POST', '/jobs/verification-email', { user_id: user.user_id })
  assert.deepEqual([off.status, off.json.errorCode], [501, 'operation_not_supported'])
  assert.equal((await env.request('/dev/mail.json')).json.length, 1)
})

test('a template that fails on one mail does not keep that mail back', async () => {
  env = await identity.environment()
  await createNouns(env)
  const body =
    '{% for i in user.user_metadata.n %}{% for j in (1..100000) %}{% assign x = j | plus: i %}{% endfor %}{% endfor %}'
  assert.equal((await env.manage('PUT', path, { template: 'verify_email', body })).status, 200)
  const user_metadata = { n: Array.from({ length: 5000 }, (_, index) => index) }
  const person = { connection: 'people', password: PASSWORD, verify_email: true }
  await env.manage('POST', '/users', { ...person, email: 'slow@example.test', user_metadata })
  const mail = await mailTo('slow@example.test')
  assert.equal(mail.subject, 'Confirm your address for Test')
  assert.equal(mail.links.length, 1)
})

test('an invitation follows the template user_invitation, and its lifetime where none is asked for', async () => {
  env = await identity.environment()
  const { client, organization } = await createNouns(env)
  await env.manage('PATCH', `/clients/${client.client_id}`, { initiate_login_uri: 'https://app.example.test/login' })
  await env.manage('PUT', '/email-templates/user_invitation', {
    template: 'user_invitation',
    subject: 'Join {{ organization.display_name }}',
    body: '<p>{{ inviter.name }} invites you as {{ roles }} to {{ application.name }}</p>',
    urlLifetimeInSeconds: 3600,
  })
  const invite = await env.manage('POST', `/organizations/${organization.id}/invitations`, {
    inviter: { name: 'Anna <b>' },
    invitee: { email: 'bob@example.test' },
    client_id: client.client_id,
  })
  assert.equal(invite.status, 200, invite.text)
  assert.equal(new Date(invite.json.expires_at).getTime() - new Date(invite.json.created_at).getTime(), 3_600_000)
  const mail = await mailTo('bob@example.test')
  assert.equal(mail.subject, 'Join blue-kite')
  assert.equal(mail.html, '<p>Anna &lt;b&gt; invites you as  to Stockroom</p>')
  assert.deepEqual(mail.links, [invite.json.invitation_url])
})

test('a welcome is sent once, when the address is proven, where one is worded', async () => {
  env = await identity.environment()
  const { user } = await createNouns(env)
  const welcome = { template: 'welcome_email', subject: 'Hi', body: '<p>Welcome {{ user.email }}</p>' }
  assert.equal((await env.manage('PUT', '/email-templates/welcome_email', welcome)).status, 200)
  for (let index = 0; index < 2; index++) {
    const { json } = await env.manage('POST', '/tickets/email-verification', { user_id: user.user_id })
    const ticket = new URL(json.ticket).searchParams.get('ticket')!
    assert.equal((await env.request('/u/email-verification', { form: { ticket } })).status, 200)
  }
  const mails = (await env.request('/dev/mail.json')).json
  assert.deepEqual(
    mails.map((mail: { to: string; subject: string; html: string }) => [mail.to, mail.subject, mail.html]),
    [['Anna@example.test', 'Hi', '<p>Welcome Anna@example.test</p>']],
  )
})
