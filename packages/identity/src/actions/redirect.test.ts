import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { action, commandsOf, failureOf, testRunner } from './fixture.ts'
import { destinationOf } from './redirect.ts'

const { runner } = testRunner()

const EVENT = {
  user: { user_id: 'auth0|anna' },
  request: { hostname: 'login.example.test', ip: '192.0.2.7', query: {}, body: {} },
}
const SECRET = 'ein geheimer Schlüssel 🔑'

const run = (body: string, event: object = EVENT, code = `exports.onContinuePostLogin = async () => {}`) =>
  runner.run({
    trigger: 'post-login',
    environmentId: 'env_a',
    actions: [
      action(`exports.onExecutePostLogin = async (event, api) => {\n${body}\n}\n${code}`, { secrets: { KEY: SECRET } }),
    ],
    event: event as Record<string, unknown>,
  })

/** What the body hands to `report`. */
async function told(body: string, event: object = EVENT): Promise<unknown> {
  const commands = commandsOf(
    await run(`const report = (value) => api.idToken.setCustomClaim('told', value)\n${body}`, event),
  )
  const [last] = commands.slice(-1)
  return last && 'value' in last ? last.value : undefined
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
function signed(claims: object, secret = SECRET, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

test('encodeToken signs with HS256 what Node signs, whatever the length and the characters of secret and payload', async () => {
  const cases = [0, 1, 7, 20, 54, 55, 56, 63, 64, 65, 119, 120, 500].flatMap((length) => [
    { secret: 'k'.repeat(length + 1), payload: { text: 'x'.repeat(length) } },
    { secret: '🔑é'.repeat(length + 1), payload: { text: `ü€🙂${'漢'.repeat(length)}`, more: { n: length } } },
  ])
  const tokens = (await told(
    `report(${JSON.stringify(cases)}.map((one) => api.redirect.encodeToken({ ...one, expiresInSeconds: 60 })))`,
  )) as string[]
  assert.equal(tokens.length, cases.length)
  for (const [at, token] of tokens.entries()) {
    const [head, body, signature] = token.split('.')
    const { secret, payload } = cases[at]!
    assert.equal(signature, createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url'))
    assert.deepEqual(JSON.parse(Buffer.from(head!, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' })
    const claims = JSON.parse(Buffer.from(body!, 'base64url').toString())
    const { iat } = claims
    assert.ok(Math.abs(iat - Date.now() / 1000) < 60)
    const own = { iat, exp: iat + 60, iss: 'login.example.test', sub: 'auth0|anna', ip: '192.0.2.7' }
    assert.deepEqual(claims, { ...payload, ...own })
  }
})

test('a payload cannot speak for somebody else, and an Action that changes its event changes no token', async () => {
  const token = (await told(
    `event.user.user_id = 'auth0|other'
    report(api.redirect.encodeToken({ secret: event.secrets.KEY, payload: { sub: 'auth0|other', exp: 1 } }))`,
  )) as string
  const { sub, exp, iat } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  assert.deepEqual([sub, exp - iat], ['auth0|anna', 900])
})

test('validateToken gives the claims of a token for this person and state, and refuses every other', async () => {
  const now = Math.floor(Date.now() / 1000)
  const good = { iat: now, exp: now + 60, iss: 'https://quiz.example', sub: 'auth0|anna', state: 'the-state', score: 7 }
  const back = (session_token: string | undefined, more: object = {}) => ({
    ...EVENT,
    request: { ...EVENT.request, query: { state: 'the-state', ...(session_token ? { session_token } : {}) }, ...more },
  })
  const ask = `api.idToken.setCustomClaim('told', api.redirect.validateToken({ secret: event.secrets.KEY }))`
  assert.deepEqual(await told(ask, back(signed(good))), good)
  const named = `report(api.redirect.validateToken({ secret: event.secrets.KEY, tokenParameterName: 'answer' }))`
  const posted = { query: {}, body: { state: 'the-state', answer: signed({ ...good, name: 'Zoë 🙂' }) } }
  assert.deepEqual(await told(named, back(undefined, posted)), { ...good, name: 'Zoë 🙂' })

  const [head, body, signature] = signed(good).split('.')
  const hostile: Record<string, [token: string | undefined, said: RegExp]> = {
    missing: [undefined, /There is no session token in the parameter session_token/],
    'of another secret': [signed(good, 'another'), /signature does not fit/],
    'with a shortened signature': [`${head}.${body}.${signature!.slice(0, -1)}`, /signature does not fit/],
    'without a signature': [`${part({ alg: 'none' })}.${body}.`, /not signed with HS256/],
    'signed with another algorithm': [signed(good, SECRET, { alg: 'HS512' }), /not signed with HS256/],
    'with another payload': [`${head}.${part({ ...good, score: 8 })}.${signature}`, /signature does not fit/],
    'of four parts': [`${signed(good)}.x`, /not a JWT/],
    'about somebody else': [signed({ ...good, sub: 'auth0|other' }), /about somebody else/],
    'of another sign-in': [signed({ ...good, state: 'other' }), /state is not that of \/continue/],
    'without a state': [signed({ ...good, state: undefined }), /state is not that of \/continue/],
    expired: [signed({ ...good, exp: now - 1 }), /has expired/],
    'without an end': [signed({ ...good, exp: undefined }), /lacks one of iat, exp, sub and iss/],
    'of the future': [signed({ ...good, iat: now + 3600 }), /not valid yet/],
  }
  for (const [name, [token, said]] of Object.entries(hostile)) {
    const failure = failureOf(await run(ask, back(token)))
    assert.equal(failure.reason, 'error', name)
    assert.match(failure.detail, said, name)
  }
})

test('a wrong use of api.redirect is told at its line, and sends nobody away', async () => {
  const wrong: Record<string, RegExp> = {
    'api.redirect.encodeToken({ payload: {} })': /options\.secret must be a text that is not empty/,
    "api.redirect.encodeToken({ secret: '', payload: {} })": /options\.secret must be a text that is not empty/,
    "api.redirect.encodeToken({ secret: 'a', expiresInSeconds: -1 })": /expiresInSeconds must be a number above 0/,
    'api.redirect.validateToken({})': /options\.secret must be a text that is not empty/,
    "api.redirect.sendUserTo('javascript:alert(1)')": /"javascript:alert\(1\)" is no http or https address/,
    "api.redirect.sendUserTo('https://bank.example@evil.example')": /is no http or https address/,
    "api.redirect.sendUserTo('/local')": /is no http or https address/,
    "api.redirect.sendUserTo('https://a.test', { query: { a: ['b'] } })": /does not fit the trigger post-login/,
    "api.redirect.sendUserTo('https://a.test', { query: { a: 'x'.repeat(8000) } })": /more than 8000 characters/,
  }
  for (const [body, said] of Object.entries(wrong)) assert.match(failureOf(await run(body)).detail, said, body)
  const noWayBack = failureOf(await run("api.redirect.sendUserTo('https://a.test')", EVENT, ''))
  assert.match(
    noWayBack.detail,
    /^Error: api\.redirect\.sendUserTo: the action exports no function onContinuePostLogin/,
  )
})

test('the query that an Action gives is added to its address, and the state cannot be replaced', () => {
  const asked = {
    url: 'https://a.test/form?kept=1&state=mine#top',
    options: { query: { name: 'Zoë & co', n: 1, state: 'x' } },
  }
  assert.equal(
    destinationOf(asked, 'the-state'),
    'https://a.test/form?kept=1&state=the-state&name=Zo%C3%AB+%26+co&n=1#top',
  )
})

test('Actions after the one that sends somebody away wait; then that one goes on, and those after it run', async () => {
  const say = (name: string) => `api.idToken.setCustomClaim('${name}', event.request.query.answer ?? null)`
  const actions = [
    action(`exports.onExecutePostLogin = async (event, api) => { ${say('one')} }`, { actionId: 'a1', name: 'one' }),
    action(
      `exports.onExecutePostLogin = async (event, api) => {
        api.accessToken.setCustomClaim('early', 1).redirect.sendUserTo('https://a.test', { query: { q: 1 } })
        ${say('two')}
      }
      exports.onContinuePostLogin = async (event, api) => { ${say('continued')} }`,
      { actionId: 'a2', name: 'two' },
    ),
    action(`exports.onExecutePostLogin = async (event, api) => { ${say('three')} }`, { actionId: 'a3', name: 'three' }),
  ]
  const start = { trigger: 'post-login' as const, environmentId: 'env_a', actions, event: EVENT }
  const away = await runner.run(start)
  assert.ok(away.ok)
  assert.deepEqual(away.sentAway, { actionId: 'a2', url: 'https://a.test', options: { query: { q: 1 } } })
  assert.deepEqual(
    away.logs.map((log) => log.action),
    ['one', 'two'],
  )
  const event = { ...EVENT, request: { ...EVENT.request, query: { answer: 42 } } }
  const back = await runner.run({ ...start, event, resume: { actionId: 'a2', commands: away.commands.slice(0, 2) } })
  assert.deepEqual(
    commandsOf(back).map((command) => ('value' in command ? [command.key, command.value] : command.type)),
    [
      ['one', null],
      ['early', 1],
      ['continued', 42],
      ['three', 42],
    ],
  )
  assert.ok(back.ok && back.sentAway === undefined)
  // Bound no more, it cannot go on: the others run, and nothing of before is kept.
  const without = [actions[0]!, actions[2]!]
  const anew = await runner.run({
    ...start,
    event,
    actions: without,
    resume: { actionId: 'a2', commands: away.commands },
  })
  assert.deepEqual(
    commandsOf(anew).map((command) => 'key' in command && command.key),
    ['one', 'three'],
  )
})

test('what was asked for before counts towards the limits of a token', async () => {
  const big = (name: string) => `api.idToken.setCustomClaim('${name}', 'x'.repeat(60000))`
  const code = `exports.onExecutePostLogin = async (event, api) => { ${big('a')}; api.redirect.sendUserTo('https://a.test') }
    exports.onContinuePostLogin = async (event, api) => { ${big('b')} }`
  const run = { trigger: 'post-login' as const, environmentId: 'env_a', actions: [action(code)], event: EVENT }
  const away = await runner.run(run)
  const commands = commandsOf(away)
  const failure = failureOf(await runner.run({ ...run, resume: { actionId: 'act_1', commands } }))
  assert.match(failure.detail, /^idToken\.setCustomClaim was given \d+ bytes in all, more than 100000$/)
})
