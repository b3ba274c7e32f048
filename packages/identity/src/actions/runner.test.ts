import assert from 'node:assert/strict'
import { test } from 'node:test'
import { action, commandsOf, failureOf, handler, reportOf, runAll, runBody, sleep, testRunner } from './fixture.ts'
import { applyPostLogin } from './post-login.ts'

const { runner } = testRunner()

const tenantIdAction = `exports.onExecutePostLogin = async (event, api) => {
  if (!event.organization) return;
  var tenantId = event.organization.metadata["tenantId"];
  if (event.authorization) {
    api.idToken.setCustomClaim("https://tenantId", tenantId);
    api.accessToken.setCustomClaim("https://tenantId", tenantId);
  }
};`

test('the Action that adds the tenant id puts it into both tokens', async () => {
  const event = { organization: { metadata: { tenantId: 'tenant-7' } }, authorization: { roles: [] } }
  const commands = commandsOf(await runAll(runner, [action(tenantIdAction)], event))
  assert.deepEqual(applyPostLogin(commands), {
    idTokenClaims: { 'https://tenantId': 'tenant-7' },
    accessTokenClaims: { 'https://tenantId': 'tenant-7' },
    scopes: { add: [], remove: [] },
    factors: [],
    methods: [],
  })
})

test('the Action that adds the tenant id does nothing without an organization', async () => {
  const outcome = await runAll(runner, [action(tenantIdAction)], { authorization: { roles: [] } })
  assert.deepEqual(commandsOf(outcome), [])
  assert.deepEqual(
    outcome.logs.map(({ action, lines }) => ({ action, lines })),
    [{ action: 'first', lines: [] }],
  )
})

test('every recording method returns api, in the order of the calls', async () => {
  const commands = commandsOf(
    await runBody(
      runner,
      `api.idToken.setCustomClaim('a', 1).accessToken.setCustomClaim('b', [true, null]).accessToken.addScope('read:x')
        .accessToken.removeScope('write:x').user.setUserMetadata('c', { d: 'e' }).user.setAppMetadata('f', null).access.deny('no')`,
    ),
  )
  assert.deepEqual(commands, [
    { type: 'idToken.setCustomClaim', key: 'a', value: 1 },
    { type: 'accessToken.setCustomClaim', key: 'b', value: [true, null] },
    { type: 'accessToken.addScope', scope: 'read:x' },
    { type: 'accessToken.removeScope', scope: 'write:x' },
    { type: 'user.setUserMetadata', key: 'c', value: { d: 'e' } },
    { type: 'user.setAppMetadata', key: 'f', value: null },
    { type: 'access.deny', reason: 'no' },
  ])
})

test('a denial stops the chain after the action that denied', async () => {
  const outcome = await runAll(runner, [
    action(handler(`api.user.setAppMetadata('tries', 1)`), { name: 'count' }),
    action(handler(`api.access.deny('Not on Sundays.')`), { name: 'deny' }),
    action(handler(`throw new Error('never reached')`), { name: 'after' }),
  ])
  const effect = applyPostLogin(commandsOf(outcome))
  assert.equal(effect.denied, 'Not on Sundays.')
  assert.deepEqual(effect.appMetadata, { tries: 1 })
  assert.deepEqual(
    outcome.logs.map((log) => log.action),
    ['count', 'deny'],
  )
})

test('a documented method that is not available throws, and the login fails closed', async () => {
  const failure = failureOf(await runBody(runner, `api.idToken.setCustomClaim('a', 1)\napi.prompt.render('a')`))
  assert.equal(failure.reason, 'error')
  assert.match(failure.detail, /^Error: api\.prompt\.render is not available yet\n {4}at .*\(action\.js:3:12\)$/)
})

test('what Actions find elsewhere in Node.js is missed by name, and a slip of the author stays one', async () => {
  const detailOf = async (body: string) => failureOf(await runBody(runner, body)).detail
  assert.match(
    await detailOf(`process.exit()`),
    /^ReferenceError: process is not defined: an Action has no process, no files and no streams here\n {4}at .*action\.js:2:1/,
  )
  assert.match(await detailOf('new FormData()'), /^ReferenceError: FormData is not defined: an Action has/)
  assert.match(await detailOf('fetched()'), /^ReferenceError: fetched is not defined\n/)
})

test('canRedirect answers false, unless whoever runs the Actions says otherwise', async () => {
  assert.equal(await reportOf(runner, 'report(api.redirect.canRedirect())'), false)
  const code = handler(`api.idToken.setCustomClaim('can', api.redirect.canRedirect())`)
  const answers = { 'redirect.canRedirect': true }
  const run = { trigger: 'post-login' as const, environmentId: 'env_a', event: {}, answers }
  assert.deepEqual(commandsOf(await runner.run({ ...run, actions: [action(code)] })), [
    { type: 'idToken.setCustomClaim', key: 'can', value: true },
  ])
})

test('one Action may ask for all that its tokens and metadata can hold', async () => {
  const text = (bytes: number) => `'x'.repeat(${bytes - 3})`
  const outcome = await runBody(
    runner,
    `api.idToken.setCustomClaim('a', ${text(100_000)}).accessToken.setCustomClaim('a', ${text(100_000)})
    api.user.setUserMetadata('a', ${text(32_000)}).user.setAppMetadata('a', ${text(32_000)})
    for (let at = 0; at < 190; at++) api.idToken.setCustomClaim('gone' + at, null)`,
  )
  assert.equal(commandsOf(outcome).length, 194)
})

test('an error names the line and column of action.js, also after an await, and no frame of the server', async () => {
  const failure = failureOf(await runBody(runner, 'await null\n  undefined.x'))
  assert.match(
    failure.detail,
    /^TypeError: Cannot read properties of undefined \(reading 'x'\)\n {4}at .*action\.js:3:13\)?$/,
  )
  const syntax = failureOf(await runAll(runner, [action('const a = 1;\nconst b = {;\n')]))
  assert.equal(syntax.detail, "SyntaxError: Unexpected token ';' [action.js:2:12]")
  assert.equal(syntax.reason, 'error')
})

test('setTimeout works with await, and what a timer throws fails the login', async () => {
  assert.equal(
    await reportOf(
      runner,
      `const id = setTimeout(() => report('cleared'), 1); clearTimeout(id)
      report(await new Promise((resolve) => setTimeout(resolve, 20, 'later')))`,
    ),
    'later',
  )
  const failure = failureOf(
    await runBody(
      runner,
      `setTimeout(() => { throw new Error('late') }, 1)\nawait new Promise((r) => setTimeout(r, 50))`,
    ),
  )
  assert.match(failure.detail, /^Error: late/)
})

test('a promise that can never settle fails at once, without waiting for the wall limit', async () => {
  const failure = failureOf(await runBody(runner, 'await new Promise(() => {})'))
  assert.equal(failure.detail, 'The action waits for a promise that can never settle.')
})

test('module.exports works as well as exports, and what needs a process, a file or a stream is absent', async () => {
  const code = `module.exports = { async onExecutePostLogin(event, api) {
    api.idToken.setCustomClaim('absent', [typeof process, typeof global, typeof __dirname, typeof FormData, typeof ReadableStream, typeof WebSocket])
  } }`
  assert.deepEqual(commandsOf(await runAll(runner, [action(code)])), [
    { type: 'idToken.setCustomClaim', key: 'absent', value: Array(6).fill('undefined') },
  ])
})

test('code is checked in the sandbox: syntax, missing handler, refused modules, endless loading', async () => {
  assert.deepEqual(await runner.checkCode(tenantIdAction), { ok: true })
  assert.deepEqual(await runner.checkCode('exports.a = (;'), {
    ok: false,
    message: "SyntaxError: Unexpected token ';' [action.js:1:14]",
  })
  assert.deepEqual(await runner.checkCode('exports.onExecutePostlogin = () => {}'), {
    ok: false,
    message: 'The action exports no function onExecutePostLogin.',
  })
  assert.deepEqual(await runner.checkCode('while (true);'), {
    ok: false,
    message: 'The action used more than 250 ms of CPU time.',
  })
})

test('an unknown trigger is a problem, not an outcome', async () => {
  await assert.rejects(
    runner.run({ trigger: 'post-logout' as 'post-login', environmentId: 'e', actions: [], event: {} }),
    {
      code: 'unsupported_trigger',
      message:
        'The trigger "post-logout" is not supported. Supported: post-login, credentials-exchange, pre-user-registration, post-user-registration, post-change-password.',
    },
  )
})

for (const id of ['node:fs', 'fs', './secrets', 'lodash/../fs', '__proto__', 'toString', 'isolated-vm']) {
  test(`N196 require(${id}) is refused at deploy and at run time`, async () => {
    const code = `const it = require('${id}')\nexports.onExecutePostLogin = () => {}`
    const there = 'axios, buffer, crypto, jsonwebtoken, lodash, node-fetch, querystring, url, util, uuid'
    const message = `Error: require("${id}") is refused: there is no such module here. There are: ${there}\n    at action.js:1:12`
    assert.deepEqual(await runner.checkCode(code), { ok: false, message })
    assert.equal(failureOf(await runAll(runner, [action(code)])).detail, message)
  })
}

test('N191 an action sees its own secrets only, and prints and throws none of them', async () => {
  const outcome = await runAll(runner, [
    action(
      handler(
        `api.idToken.setCustomClaim('a', Object.keys(event.secrets)); console.log('key', event.secrets.ONE, { v: event.secrets.ONE })`,
      ),
      {
        name: 'one',
        secrets: { ONE: 'sesame-open' },
      },
    ),
    action(handler(`api.idToken.setCustomClaim('b', Object.keys(event.secrets)); globalThis.leak = event.secrets`), {
      name: 'two',
      secrets: { TWO: 'second-word' },
    }),
    action(handler(`console.log(typeof leak, JSON.stringify(event)); throw new Error('with ' + event.secrets.THREE)`), {
      name: 'three',
      secrets: { THREE: 'third-word' },
    }),
  ])
  const failure = failureOf(outcome)
  assert.equal(failure.action, 'three')
  assert.match(failure.detail, /^Error: with \[redacted\]\n/)
  for (const { startedAt, endedAt } of failure.logs) assert.ok(startedAt <= endedAt)
  const logs = failure.logs.map(({ action, lines }) => ({ action, lines }))
  assert.deepEqual(logs, [
    { action: 'one', lines: ['key [redacted] {"v":"[redacted]"}'] },
    { action: 'two', lines: [] },
    { action: 'three', lines: ['undefined {"secrets":{"THREE":"[redacted]"}}'] },
  ])
})

test('N194 a log flood ends at 100 lines of 2 KB, with control characters escaped', async () => {
  const { runner: patient } = testRunner({ cpuMs: 3_000, wallMs: 8_000 })
  const outcome = await runBody(
    patient,
    `console.log('\\u001b[31mred\\nline two \\u202e')\nconsole.error('x'.repeat(10e6))\nfor (let i = 0; i < 1e6; i++) console.log(i)`,
  )
  assert.equal(outcome.ok, true, JSON.stringify(outcome).slice(0, 300))
  const lines = outcome.logs[0]!.lines
  assert.equal(lines.length, 100)
  assert.equal(lines[0], '\\u001b[31mred\\u000aline two \\u202e')
  assert.equal(lines[1], 'x'.repeat(2048))
  assert.equal(lines[99], '97')
})

test('N192 whatever fails, none of the commands of the chain survives', async () => {
  const good = () =>
    action(handler(`api.user.setAppMetadata('a', 1); api.idToken.setCustomClaim('b', 2)`), { name: 'good' })
  const bad = (code: string) => action(code, { name: 'bad' })
  const two = `api.idToken.setCustomClaim('c', 1); api.accessToken.addScope('d');`
  const cases: [string, string, string][] = [
    ['throws', handler(`${two} throw new Error('x')`), 'error'],
    ['rejects', handler(`${two} await Promise.reject('x')`), 'error'],
    ['throws while loading', `throw new Error('x')`, 'error'],
    ['throws nothing useful', handler(`${two} throw { toString() { throw 1 }, toJSON() { throw 2 } }`), 'error'],
    ['has no handler', 'exports.onExecutePostLogon = () => {}', 'error'],
    ['loops', handler(`${two} for (;;);`), 'timeout'],
    [
      'allocates',
      handler(`${two} const a = []; for (;;) a.push('x'.repeat(1e5) + a.length, new Array(1e4).fill(a.length))`),
      'memory|timeout',
    ],
    ['asks for too much', handler(`${two} api.accessToken.addScope('not a scope')`), 'invalid_output'],
  ]
  for (const [name, code, reason] of cases) {
    const failure = failureOf(await runAll(runner, [good(), bad(code), good()]))
    assert.match(failure.reason, new RegExp(`^(${reason})$`), name)
    assert.equal(failure.action, 'bad', name)
    assert.equal(failure.logs.length, 2, name)
  }
})

test('N192 the runner killed in mid-run discards the commands and denies; the next run has a new process', async () => {
  const { runner: patient } = testRunner({ wallMs: 60_000, triggerWallMs: 60_000 })
  await runBody(patient, '')
  const [pid] = patient.pids()
  const running = runBody(patient, `api.idToken.setCustomClaim('a', 1)\nawait new Promise((r) => setTimeout(r, 50000))`)
  // By then it has begun: what has not is run once more.
  await sleep(2000)
  process.kill(pid!, 'SIGKILL')
  const failure = failureOf(await running)
  assert.equal(failure.reason, 'runner_lost')
  assert.equal(failure.detail, 'The runner process ended (SIGKILL).')
  assert.equal(await reportOf(patient, 'report(1)'), 1)
  assert.notEqual(patient.pids()[0], pid)
})

test('N198 a call that never began in a dead process is run once in the next', async () => {
  await runBody(runner, '')
  process.kill(runner.pids()[0]!, 'SIGKILL')
  assert.equal(await reportOf(runner, 'report(2)'), 2)
})

test('N192 a silent runner is killed by its parent and the call fails', async () => {
  const { runner: short, entries } = testRunner({ wallMs: 1_500 })
  await runBody(short, '')
  const [pid] = short.pids()
  process.kill(pid!, 'SIGSTOP')
  const failure = failureOf(await runBody(short, `api.idToken.setCustomClaim('a', 1)`))
  assert.equal(failure.reason, 'runner_lost')
  assert.equal(failure.detail, 'The runner process fell silent.')
  assert.deepEqual(entries, ['a runner process fell silent and is killed'])
  assert.equal(await reportOf(short, 'report(3)'), 3)
})

test('the actions of one run share a wall limit', async () => {
  const { runner: short } = testRunner({ triggerWallMs: 1500 })
  const wait = () => action(handler('await new Promise((r) => setTimeout(r, 700))'))
  while (!(await runBody(short, '')).ok);
  const failure = failureOf(await runAll(short, [wait(), wait(), wait(), wait()]))
  assert.equal(failure.reason, 'timeout')
  assert.ok(failure.logs.length < 4)
})

test('N199 an environment with too many runs waits for itself, and others do not wait for it', async () => {
  const { runner: narrow } = testRunner({ concurrency: 2, queue: 2 })
  const slow = () => runBody(narrow, `await new Promise((r) => setTimeout(r, 600))\napi.accessToken.addScope('a')`)
  const order: string[] = []
  const many = [1, 2, 3, 4, 5].map(async (n) => {
    const outcome = await slow()
    order.push(`a${n}`)
    return outcome.ok
  })
  const refused = failureOf(await slow())
  assert.equal(refused.detail, 'Too many actions of this environment run at once.')
  await reportOf(narrow, 'report(1)', 'env_b').then(() => order.push('b'))
  assert.deepEqual(await Promise.all(many), [true, true, true, true, false])
  assert.ok(order.indexOf('b') < order.indexOf('a3'), order.join())
  assert.ok(order.indexOf('b') < order.indexOf('a4'), order.join())
})
