import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bindActions, createWorld, openBrowser, PASSWORD, toldClient, type World } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const handler = (name: string, body: string) => `exports.${name} = async (event, api) => {\n${body}\n}`
const bindBefore = (world: World, ...bodies: string[]) =>
  bindActions(world, 'pre-user-registration', ...bodies.map((body) => handler('onExecutePreUserRegistration', body)))

/** A connection in which people sign up, without proving their address first. */
async function settle() {
  const world = await createWorld(identity, { organization_usage: 'allow', organization_require_behavior: 'no_prompt' })
  const { env, connection } = world
  const changed = await env.manage('PATCH', `/connections/${connection.id}`, {
    options: {
      passwordPolicy: 'none',
      password_complexity_options: { min_length: 12 },
      disable_signup: false,
      attributes: { email: { signup: { status: 'required', verification: { active: false } } } },
    },
  })
  assert.equal(changed.status, 200, changed.text)
  const signUp = (email: string, more: object = {}): Promise<Answer> =>
    env.request('/dbconnections/signup', {
      method: 'POST',
      body: { client_id: world.spa, connection: connection.name, email, password: PASSWORD, ...more },
    })
  const find = async (email: string) =>
    (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json[0]
  const onPage = async (email: string, browser = openBrowser(env)) => {
    const page = await browser.follow(await browser.visit(world.authorize({ screen_hint: 'signup' }).path))
    return browser.follow(await browser.submit(page, { email, password: PASSWORD }))
  }
  /** Executions and failures of Actions of which nobody is told. */
  const entries = async (type: string) => {
    for (let tries = 0; tries < 3_000; tries++) {
      const { json } = await env.manage('GET', `/logs?q=type:${type}`)
      if (json.length > 0) return json
      await sleep(50)
    }
    throw new Error(`${type} was not logged`)
  }
  /** What an Action threw in the end: the way in which these tests see what it saw. */
  const seenBy = async (): Promise<unknown> => {
    const [entry] = await entries('actions_execution_failed')
    return JSON.parse(/SEEN (.*) NEES/.exec(entry.details.detail)![1]!)
  }
  return { world, env, connection, signUp, find, onPage, entries, seenBy }
}

test('an Action denies a registration: the page and the API say what it says to the person, and nothing is made', async () => {
  const { world, signUp, onPage, find, entries } = await settle()
  await bindBefore(
    world,
    `if (event.user.email.endsWith('@rival.test')) api.access.deny('a rival', 'Not from <there>.')`,
    `api.user.setAppMetadata('reached', true)`,
  )
  const denied = await signUp('tom@rival.test')
  assert.equal(denied.status, 400)
  assert.deepEqual(denied.json, {
    name: 'BadRequestError',
    code: 'extensibility_error',
    description: 'Not from <there>.',
    message: 'Not from <there>.',
    friendly_message: 'Not from <there>.',
    statusCode: 400,
  })
  const page = await onPage('tom@rival.test')
  assert.equal(page.status, 400)
  assert.match(page.text, /id="form-error" role="alert">.*Not from &lt;there&gt;\./s)
  assert.match(page.text, /value="tom@rival\.test"/)
  assert.doesNotMatch(page.text, /a rival/)
  assert.equal(await find('tom@rival.test'), undefined)
  const [entry] = await entries('fs')
  assert.equal(entry.description, 'a rival')

  assert.ok(toldClient(await onPage('anna@friend.test')).code)
  assert.deepEqual((await find('anna@friend.test')).app_metadata, { reached: true })
})

test('an Action that finds a field invalid refuses the registration with its message; its code stands in the log', async () => {
  const { world, env, signUp, onPage, find, entries } = await settle()
  await bindBefore(
    world,
    `if (!event.request.body['ulp-full-name']) return api.validation.error('invalid_name', 'Your full name, please.')`,
    `api.user.setAppMetadata('locale', event.transaction.locale).user.setAppMetadata('asks', event.request.language ?? null)`,
  )
  const refused = await signUp('anna@example.test')
  assert.deepEqual(
    [refused.status, refused.json.code, refused.json.description],
    [400, 'extensibility_error', 'Your full name, please.'],
  )
  const page = await onPage('anna@example.test')
  assert.equal(page.status, 400)
  assert.match(page.text, /id="form-error" role="alert">.*Your full name, please\./s)
  assert.equal(await find('anna@example.test'), undefined)
  assert.equal((await entries('fs'))[0].description, 'invalid_name')

  const input = '<input name="ulp-full-name">'
  const partials = await env.manage('PUT', '/prompts/signup/partials', { signup: { 'form-content-end': input } })
  assert.equal(partials.status, 204, partials.text)
  const browser = openBrowser({
    origin: env.origin,
    request: (path, ask = {}) => env.request(path, { ...ask, headers: { 'accept-language': 'de-AT', ...ask.headers } }),
  })
  const form = await browser.follow(await browser.visit(world.authorize({ screen_hint: 'signup' }).path))
  const typed = { email: 'anna@example.test', password: PASSWORD, 'ulp-full-name': 'Anna Muster' }
  assert.ok(toldClient(await browser.follow(await browser.submit(form, typed))).code)
  assert.deepEqual((await find('anna@example.test')).app_metadata, { locale: 'en', asks: 'de-AT' })
})

test('an Action sees who registers, where, and what they said, but no password; and adds metadata to theirs', async () => {
  const { world, env, connection, signUp, find } = await settle()
  await bindBefore(
    world,
    `api.user.setAppMetadata('seen', event)
    api.user.setUserMetadata('plan', 'free').user.setUserMetadata('unwanted', null)`,
  )
  const asked = { given_name: 'Anna', user_metadata: { plan: 'gold', unwanted: 'x', kept: 'y' } }
  assert.equal((await signUp('anna@example.test', asked)).status, 200)
  const anna = await find('anna@example.test')
  assert.deepEqual(anna.user_metadata, { plan: 'free', kept: 'y' })
  const { seen } = anna.app_metadata
  const { ip, hostname, method, geoip, body, ...rest } = seen.request
  assert.deepEqual([hostname, method, geoip, typeof ip], [new URL(env.origin).hostname, 'POST', {}, 'string'])
  assert.deepEqual(Object.keys(rest), [])
  assert.deepEqual(body, { email: 'anna@example.test', ...asked })
  assert.deepEqual(
    { ...seen, request: undefined },
    {
      tenant: { id: env.id },
      secrets: {},
      request: undefined,
      client: { client_id: world.spa, name: 'Stockroom', metadata: {} },
      connection: { id: connection.id, name: connection.name, strategy: 'auth0', metadata: {} },
      user: {
        email: 'anna@example.test',
        name: 'anna@example.test',
        nickname: 'anna',
        given_name: 'Anna',
        user_metadata: asked.user_metadata,
        app_metadata: {},
      },
    },
  )
})

test('whoever has an account is asked as well, so that a denial tells nothing', async () => {
  const { world, signUp, find } = await settle()
  await world.person('anna@example.test')
  await bindBefore(world, `api.access.deny('closed', 'Registration is closed.')`)
  const [known, unknown] = [await signUp('anna@example.test'), await signUp('tom@example.test')]
  assert.deepEqual([known.status, known.json], [unknown.status, unknown.json])
  assert.equal(await find('tom@example.test'), undefined)
})

test('an Action that fails makes nobody, and tells nothing of itself; signing in is not touched', async () => {
  const { world, env, signUp, onPage, find } = await settle()
  const anna = await world.person('anna@example.test')
  await bindBefore(world, `throw new Error('the inside of an Action')`)
  const failed = await signUp('tom@example.test')
  assert.deepEqual([failed.status, failed.json.code], [400, 'extensibility_error'])
  assert.match(failed.json.description, /Reference: [0-9a-f-]{36}$/)
  const page = await onPage('tom@example.test')
  assert.equal(page.status, 403)
  assert.match(page.text, /<h1>We couldn’t sign you in<\/h1>/)
  for (const { text } of [failed, page]) assert.doesNotMatch(text, /the inside/)
  assert.equal(await find('tom@example.test'), undefined)
  assert.ok((await world.signIn(openBrowser(env), anna)).code)
})

const TELL = `throw new Error('SEEN ' + JSON.stringify(event) + ' NEES')`

test('after a registration an Action sees the account that was made, and what it does holds up nobody', async () => {
  const { world, env, connection, signUp, find, entries, seenBy } = await settle()
  await bindActions(world, 'post-user-registration', handler('onExecutePostUserRegistration', TELL))
  assert.equal((await signUp('anna@example.test', { user_metadata: { plan: 'free' } })).status, 200)
  // biome-ignore lint/suspicious/noExplicitAny: an event of any shape
  const seen = (await seenBy()) as any
  const anna = await find('anna@example.test')
  assert.equal(seen.user.user_id, anna.user_id)
  assert.deepEqual(Object.keys(seen.user).sort(), [
    'app_metadata',
    'created_at',
    'email',
    'email_verified',
    'name',
    'nickname',
    'updated_at',
    'user_id',
    'user_metadata',
  ])
  assert.equal(seen.connection.id, connection.id)
  assert.deepEqual(Object.keys(seen).sort(), ['connection', 'request', 'secrets', 'tenant', 'user'])
  const [entry] = await entries('actions_execution_failed')
  assert.deepEqual([entry.user_id, entry.details.trigger], [anna.user_id, 'post-user-registration'])
  assert.equal(entry.connection, connection.name)
  const { json } = await env.manage('GET', `/actions/executions/${entry.details.correlationId}`)
  assert.deepEqual([json.trigger_id, json.status], ['post-user-registration', 'partial'])
})

test('an account that the Management API makes runs Actions after it, and none before', async () => {
  const { world, seenBy } = await settle()
  await bindBefore(world, `api.access.deny('closed', 'Registration is closed.')`)
  await bindActions(world, 'post-user-registration', handler('onExecutePostUserRegistration', TELL))
  const anna = await world.person('anna@example.test')
  // biome-ignore lint/suspicious/noExplicitAny: an event of any shape
  assert.equal(((await seenBy()) as any).user.user_id, anna.user_id)
})

test('after a password was changed Actions see whose, by the Management API and by the link in a mail', async () => {
  const changes: ((world: World, anna: { user_id: string }) => Promise<unknown>)[] = [
    (world, { user_id }) =>
      world.env.manage('PATCH', `/users/${encodeURIComponent(user_id)}`, { password: 'another three words' }),
    async (world, { user_id }) => {
      const { ticket } = await world.make('/tickets/password-change', { user_id })
      const browser = openBrowser(world.env)
      const { pathname, search } = new URL(ticket)
      const page = await browser.visit(pathname + search)
      const done = await browser.submit(page, { password: 'another three words', confirm: 'another three words' })
      assert.ok(done.status < 400, done.text)
    },
  ]
  for (const change of changes) {
    const { world, seenBy } = await settle()
    const anna = await world.person('anna@example.test')
    await bindActions(world, 'post-change-password', handler('onExecutePostChangePassword', TELL))
    await change(world, anna)
    // biome-ignore lint/suspicious/noExplicitAny: an event of any shape
    const { user, connection } = (await seenBy()) as any
    assert.equal(user.user_id, anna.user_id)
    assert.equal(connection.name, 'people')
    assert.deepEqual(
      Object.keys(user).filter((name) => !['email', 'email_verified', 'user_id', 'last_password_reset'].includes(name)),
      [],
    )
    assert.ok(user.last_password_reset)
  }
})

test('what can no longer be changed is offered by no method; drafts are tried out and checked for their own handler', async () => {
  const { world, env } = await settle()
  const code = handler(
    'onExecutePostUserRegistration',
    `api.user?.setAppMetadata('a', 1); console.log(typeof api.access)`,
  )
  const action = await world.make('/actions/actions', {
    name: 'afterwards',
    supported_triggers: [{ id: 'post-user-registration', version: 'v2' }],
    code,
  })
  const tried = await env.manage('POST', `/actions/actions/${action.id}/test`, { payload: { user: {} } })
  assert.deepEqual(tried.json, { payload: { status: 'success', commands: [], logs: ['undefined'], errors: [] } })
  const wrong = await env.manage('POST', '/actions/actions', {
    name: 'wrong handler',
    supported_triggers: [{ id: 'pre-user-registration', version: 'v2' }],
    code,
    deploy: true,
  })
  assert.equal(wrong.status, 400)
  assert.match(wrong.json.message, /exports no function onExecutePreUserRegistration/)
})

test('whoever comes with a code for the first time is asked about, and whoever came before is not', async () => {
  const { world, env, find, seenBy } = await settle()
  const OTP = 'http://auth0.com/oauth/grant-type/passwordless/otp'
  const app = await world.client({ app_type: 'native', grant_types: [OTP], organization_usage: 'allow' })
  await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients: [app.client_id] })
  await bindBefore(
    world,
    `if (event.user.email === 'tom@example.test') return api.access.deny('tom', 'Not you.')
    api.user.setAppMetadata('from', event.connection.name)`,
  )
  await bindActions(world, 'post-user-registration', handler('onExecutePostUserRegistration', TELL))
  const enter = async (email: string) => {
    const form = { client_id: app.client_id, connection: 'email', email, send: 'code' }
    await env.request('/passwordless/start', { form })
    const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(email)}`)).json
    const otp = /\b\d{6}\b/.exec(mail.text)![0]
    return env.request('/oauth/token', {
      form: { grant_type: OTP, client_id: app.client_id, realm: 'email', username: email, otp },
    })
  }
  const refused = await enter('tom@example.test')
  assert.deepEqual([refused.status, refused.json], [403, { error: 'access_denied', error_description: 'Not you.' }])
  assert.equal(await find('tom@example.test'), undefined)
  assert.equal((await enter('anna@example.test')).status, 200)
  const anna = await find('anna@example.test')
  assert.deepEqual(anna.app_metadata, { from: 'email' })
  // biome-ignore lint/suspicious/noExplicitAny: an event of any shape
  assert.equal(((await seenBy()) as any).user.user_id, anna.user_id)
  await bindBefore(world, `api.access.deny('closed', 'Registration is closed.')`)
  identity.clock.advance(1)
  assert.equal((await enter('anna@example.test')).status, 200)
})

test('whoever accepts an invitation and has no account is asked about; a denial leaves the invitation open', async () => {
  const { world, env, find } = await settle()
  const acme = await world.organization('acme')
  const { ticket_id } = await world.make(
    `/organizations/${acme}/invitations`,
    {
      inviter: { name: 'Ina' },
      invitee: { email: 'bob@example.test' },
      client_id: world.spa,
      app_metadata: { team: 'blue' },
      send_invitation_email: false,
    },
    200,
  )
  const browser = openBrowser(env)
  const page = await browser.follow(
    await browser.visit(world.authorize({ organization: acme, invitation: ticket_id }).path),
  )
  await bindBefore(world, `api.access.deny('closed', 'Come back tomorrow, ' + event.user.app_metadata.team + ' Bob.')`)
  const denied = await browser.submit(page, { password: PASSWORD })
  assert.equal(denied.status, 400)
  assert.match(denied.text, /Come back tomorrow, blue Bob\./)
  assert.equal(await find('bob@example.test'), undefined)
  await bindBefore(world, `api.user.setAppMetadata('welcome', true)`)
  assert.ok(toldClient(await browser.submit(denied, { password: PASSWORD })).code)
  assert.deepEqual((await find('bob@example.test')).app_metadata, { team: 'blue', welcome: true })
})
