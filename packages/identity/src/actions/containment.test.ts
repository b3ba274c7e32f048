import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { action, commandsOf, failureOf, handler, reportOf, runAll, runBody, sleep, testRunner } from './fixture.ts'

const { runner } = testRunner()
const { runner: patient } = testRunner({ cpuMs: 1_000, wallMs: 8_000, triggerWallMs: 20_000 })

const honest = `api.idToken.setCustomClaim('a', { b: [1, 'two'] })\nawait null\napi.accessToken.addScope('read:x')`
const honestCommands = [
  { type: 'idToken.setCustomClaim', key: 'a', value: { b: [1, 'two'] } },
  { type: 'accessToken.addScope', scope: 'read:x' },
]

test('N183 patched prototypes reach neither the next run of the action nor another environment', async () => {
  const code = handler(`if (event.pollute) {
      Object.prototype.toJSON = () => ({ type: 'access.deny' })
      Object.prototype.polluted = 'yes'
      Array.prototype.push = Array.prototype.join = () => 'x'
      Promise.prototype.then = function () { throw new Error('no') }
      String.prototype.slice = String.prototype.split = () => []
      JSON.stringify = JSON.parse = () => 'x'
      Reflect.apply = Reflect.construct = () => {}
      Map.prototype.forEach = Date.now = Math.max = () => { throw 1 }
      console.log = 1
    } else {
      if (Object.prototype.polluted !== undefined) api.access.deny('polluted')
      ${honest}
    }`)
  const same = action(code)
  const before = await runAll(runner, [same], {})
  assert.deepEqual(commandsOf(before), honestCommands)
  await runAll(runner, [same], { pollute: true })
  /** All of an outcome but how long it took. */
  const outcome = (ran: object) =>
    JSON.stringify(ran, (name, value) => (name === 'startedAt' || name === 'endedAt' ? undefined : value))
  assert.equal(outcome(await runAll(runner, [same], {})), outcome(before))
  assert.equal(outcome(await runAll(runner, [same], {}, 'env_b')), outcome(before))
})

test('N183 N190 a run that forges its own list through toJSON is refused whole when it does not fit the trigger', async () => {
  const failure = failureOf(
    await runBody(
      runner,
      `api.addNothing\nObject.prototype.toJSON = () => ({ type: 'cache.set', key: 'a' })\n${honest}`,
    ),
  )
  assert.equal(failure.reason, 'invalid_output')
  assert.match(failure.detail, /^a command does not fit the trigger post-login/)
})

const MICROTASKS = 'an endless chain of microtasks'
const loops: Record<string, string> = {
  'an endless loop': 'while (true);',
  'an endless loop after an await': 'await null\nfor (;;);',
  'an endless loop after an await of the host': 'await new Promise((r) => setTimeout(r, 20))\nwhile (true);',
  'an endless loop in a timer': 'await new Promise(() => setTimeout(() => { for (;;); }, 5))',
  [MICROTASKS]: 'const again = () => Promise.resolve().then(again)\nawait again()',
  'an async loop that awaits for ever': 'for (;;) await null',
  'a regular expression that backtracks for ever': `/^(a+)+$/.test('a'.repeat(40) + '!')`,
  'an endless getter': `Object.defineProperty(Object.prototype, 'then', { get() { for (;;); } })\nreturn {}`,
  'an endless toJSON': `api.idToken.setCustomClaim('a', { toJSON() { for (;;); } })`,
  'an endless loop in a thrown error': `const e = new Error('x')\nObject.defineProperty(e, 'stack', { get() { for (;;); } })\nthrow e`,
  'a loop that catches everything': 'for (;;) { try { (function f() { f() })() } catch {} }',
}

for (const [name, body] of Object.entries(loops)) {
  test(`N184 ${name} is stopped and its neighbours finish`, async () => {
    const neighbour = () =>
      reportOf(runner, `await new Promise((r) => setTimeout(r, 100))\nreport('finished')`, `env_${Math.random()}`)
    const [outcome, ...others] = await Promise.all([runBody(runner, body), neighbour(), neighbour()])
    const failure = failureOf(outcome)
    // Each microtask is an object: a quick machine makes too many of them before the time is up.
    if (failure.reason === 'memory') assert.equal(name, MICROTASKS)
    else {
      assert.equal(failure.reason, 'timeout')
      assert.equal(failure.detail, 'The action used more than 250 ms of CPU time.')
    }
    assert.deepEqual(others, ['finished', 'finished'])
  })
}

test('N184 an endless loop while the module loads is stopped', async () => {
  assert.equal(failureOf(await runAll(runner, [action('for (;;);')])).reason, 'timeout')
})

test('N184 an action that only waits is stopped by the wall limit', async () => {
  const { runner: short } = testRunner({ wallMs: 400 })
  const failure = failureOf(await runBody(short, 'await new Promise((r) => setTimeout(r, 60000))'))
  assert.equal(failure.detail, 'The action ran longer than 400 ms.')
  assert.equal(failureOf(await runBody(short, 'for (;;) await new Promise((r) => setTimeout(r, 1))')).reason, 'timeout')
})

const bombs: Record<string, string> = {
  arrays: 'const a = []; for (;;) a.push(new Array(1000).fill(1.5))',
  'caught arrays': 'const a = []; for (;;) { try { a.push(new Array(1e5).fill({})) } catch {} }',
  strings: `const a = []; for (let i = 0; ; i++) a.push('abcdefgh'.repeat(1e4).split('').join(i))`,
  'a map': 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })',
  closures: 'let f = () => 0; for (;;) { const g = f, x = new Array(100).fill(0); f = () => [g, x] }',
}

for (const [name, body] of Object.entries(bombs)) {
  test(`N185 a memory bomb of ${name} is stopped, a neighbour finishes and the next run succeeds`, async () => {
    const neighbour = reportOf(patient, `await new Promise((r) => setTimeout(r, 800))\nreport('finished')`, 'env_b')
    const failure = failureOf(await runBody(patient, body, {}, `env_${name}`))
    assert.match(failure.reason, /^(memory|timeout)$/, failure.detail)
    assert.equal(await neighbour, 'finished')
    assert.equal(await reportOf(patient, `report('next')`), 'next')
  })
}

test('N184 an environment whose action ruined a process runs apart, and its neighbours keep theirs', async () => {
  const { runner: shared } = testRunner({ wallMs: 2_500 })
  assert.equal(await reportOf(shared, 'report(1)', 'env_b'), 1)
  const ruining = runBody(shared, 'await new Promise((r) => setTimeout(r, 2400))', {}, 'env_ruin')
  // By then it runs.
  await sleep(1000)
  process.kill(shared.pids()[0]!, 'SIGSTOP')
  assert.equal(failureOf(await ruining).reason, 'runner_lost')
  assert.equal(await reportOf(shared, 'report(2)', 'env_b'), 2)
  assert.equal(shared.pids().length, 1)
  assert.equal(await reportOf(shared, 'report(3)', 'env_ruin'), 3)
  assert.equal(shared.pids().length, 2)
})

const refusedBuffers: Record<string, string> = {
  'typed arrays': 'const a = []; for (;;) a.push(new Uint8Array(1e6))',
  'one buffer of 1.5 GB': 'new Uint8Array(1.5e9)',
  'a resizable buffer':
    'if (new ArrayBuffer(8, { maxByteLength: 9e8 }).resizable) return\nnew ArrayBuffer(9e8, { maxByteLength: 9e8 })',
  'a resizable buffer from a prototype':
    'const B = new Uint8Array(1).buffer.constructor\nif (new B(8, { maxByteLength: 9e8 }).resizable) return\nnew B(9e8, { maxByteLength: 9e8 })',
}

for (const [name, body] of Object.entries(refusedBuffers)) {
  test(`N185 ${name} cannot pass the memory limit`, async () => {
    const failure = failureOf(await runBody(patient, body))
    assert.match(failure.detail, /^RangeError: Array buffer allocation failed\n/)
  })
}

test('N185 the garbage of honest runs never stops an innocent action', async () => {
  const same = action(
    handler(`globalThis.kept = new Array(40000).fill(event.n)\napi.idToken.setCustomClaim('n', event.n)`),
  )
  for (let n = 0; n < 100; n++) {
    assert.deepEqual(commandsOf(await runAll(runner, [same], { n })), [
      { type: 'idToken.setCustomClaim', key: 'n', value: n },
    ])
  }
})

const probes: Record<string, string> = {
  'the constructor of everything in reach': `
    const seen = []
    for (const it of [globalThis, event, api, api.access.deny, api.access, console.log, require, setTimeout, exports, module,
      (async () => {}), function* () {}, Promise.resolve(), ArrayBuffer, Error]) {
      const F = it.constructor.constructor
      seen.push(F('return typeof process + typeof require("x")').toString().includes('native') ? 'native' : F('return typeof process')())
    }
    report([...new Set(seen)])`,
  'the error of import()': `
    try { await import('node:fs'); report('imported') } catch (e) { report([e.constructor.constructor('return typeof process')()]) }`,
  'the receiver of a function': `report([(function () { return typeof this.process })()])`,
  'the arguments of the caller': `
    let out = 'none'
    const f = function () { try { const c = f.caller; out = c === null ? 'undefined' : c.constructor('return typeof process')() } catch { } }
    f()
    report([await out])`,
}

for (const [name, body] of Object.entries(probes)) {
  test(`N186 no way out through ${name}`, async () => {
    assert.deepEqual(await reportOf(runner, body), ['undefined'])
  })
}

test('N186 stack frames show the guest only', async () => {
  const files = await reportOf(
    runner,
    `const files = []
    Error.prepareStackTrace = (error, frames) => {
      for (const frame of frames) files.push(String(frame.getFileName()), typeof frame.getThis(), typeof frame.getFunction())
      return 'x'
    }
    const proto = new Proxy({}, { get() { void new Error('y').stack; return undefined } })
    api.idToken.setCustomClaim('probe', { toJSON() { void new Error('z').stack; return 1 } })
    void new Error('x').stack
    report([...new Set(files)].sort())`,
  )
  assert.deepEqual(
    (files as string[]).filter(
      (file) => !['undefined', 'null', 'function', 'object', 'action.js', 'tenantry.js'].includes(file),
    ),
    [],
  )
})

test('N186 nothing of the engine and no shared memory is reachable in the object graph', async () => {
  const found = await reportOf(
    runner,
    `const seen = new Set(), names = new Set()
    const visit = (it) => {
      if ((typeof it !== 'object' && typeof it !== 'function') || it === null || seen.has(it)) return
      seen.add(it)
      if (typeof it === 'function') names.add(it.name)
      names.add(Object.prototype.toString.call(it).slice(8, -1))
      visit(Object.getPrototypeOf(it))
      for (const key of Reflect.ownKeys(it)) {
        const d = Object.getOwnPropertyDescriptor(it, key)
        visit(d.value); visit(d.get); visit(d.set)
      }
    }
    visit(globalThis); visit(event); visit(api)
    const wanted = ['Reference', 'ExternalCopy', 'Isolate', 'Context', 'Module', 'Callback', 'Script', 'NativeModule',
      'SharedArrayBuffer', 'Atomics', 'WebAssembly', 'process', 'ivm', 'applySync', 'derefInto', 'copyInto']
    report(['visited ' + (seen.size > 500), ...wanted.filter((name) => names.has(name))])`,
  )
  assert.deepEqual(found, ['visited true'])
})

test('N186 a promise subclass and a patched then gain nothing', async () => {
  const commands = commandsOf(
    await runBody(
      runner,
      `class Mine extends Promise { constructor(run) { super((a, b) => run(a, b)) } static get [Symbol.species]() { return Mine } }
      Promise.prototype.then = function (a) { return 'patched' }
      ${honest.replace('await null', '')}
      void Mine.resolve({ then(resolve) { resolve(1) } }).then()`,
    ),
  )
  assert.deepEqual(commands, honestCommands)
})

test('N188 nothing survives between runs, versions and environments', async () => {
  const code =
    handler(`const found = [globalThis.mark, exports.mark, Array.mark, Symbol.for('mark').mark, typeof counter, event.mark, module.mark]
    api.idToken.setCustomClaim('found', found.map((it) => it ?? null))
    globalThis.mark = exports.mark = Array.mark = event.mark = module.mark = event.who
    globalThis.counter = 1
    setTimeout(() => { globalThis.mark = 'late' }, 5)`)
  const same = action(code)
  const other = action(code)
  for (const [which, environmentId] of [
    [same, 'env_a'],
    [same, 'env_a'],
    [same, 'env_b'],
    [other, 'env_a'],
    [same, 'env_a'],
  ] as const) {
    assert.deepEqual(commandsOf(await runAll(runner, [which], { who: environmentId }, environmentId)), [
      { type: 'idToken.setCustomClaim', key: 'found', value: [null, null, null, null, 'undefined', null, null] },
    ])
  }
})

test('N188 a version id that comes back with other code runs the other code', async () => {
  const first = action(handler(`api.idToken.setCustomClaim('v', 1)`), { versionId: 'same' })
  const second = action(handler(`api.idToken.setCustomClaim('v', 2)`), { versionId: 'same' })
  assert.deepEqual(
    [...commandsOf(await runAll(runner, [first])), ...commandsOf(await runAll(runner, [second]))].map(
      (it) => 'value' in it && it.value,
    ),
    [1, 2],
  )
})

test('N189 reserved claims are dropped and named in the log; the rest of the login is untouched', async () => {
  const names =
    'sub iss aud exp iat azp scope permissions org_id org_name cnf acr amr auth_time sid gty act https://aws.amazon.com/tags https://x.auth0.com/a'
  const outcome = await runBody(
    runner,
    `for (const name of '${names}'.split(' ')) { api.idToken.setCustomClaim(name, 'forged'); api.accessToken.setCustomClaim(name, 'forged') }
    api.idToken.setCustomClaim('https://example.com/sub', 'kept')`,
  )
  assert.deepEqual(commandsOf(outcome), [
    { type: 'idToken.setCustomClaim', key: 'https://example.com/sub', value: 'kept' },
  ])
  assert.equal(outcome.logs[0]!.lines[0], 'The claim "sub" is reserved and was not set.')
  assert.equal(outcome.logs[0]!.lines.length, 2 * names.split(' ').length)
})

const abuses: Record<string, [body: string, reason: string, detail: RegExp]> = {
  '10,000 commands': [
    `for (let i = 0; i < 1e4; i++) api.accessToken.addScope('a')`,
    'invalid_output',
    /larger than 327680/,
  ],
  '201 commands': [
    `for (let i = 0; i < 200; i++) api.accessToken.addScope('a')`,
    'invalid_output',
    /^201 commands, more than 200$/,
  ],
  '320 KB and one byte': [
    `api.idToken.setCustomClaim('a', 'x'.repeat(327680))`,
    'invalid_output',
    /larger than 327680/,
  ],
  '320 KB of characters of three bytes': [
    `api.idToken.setCustomClaim('a', '€'.repeat(150000))`,
    'invalid_output',
    /^the commands take \d+ bytes/,
  ],
  'a value of a thousand levels': [
    `let v = 1; for (let i = 0; i < 1000; i++) v = [v]\napi.idToken.setCustomClaim('a', v)`,
    'invalid_output',
    /deeper than 20/,
  ],
  'a key __proto__': [
    `api.user.setAppMetadata('a', JSON.parse('{"__proto__":{"admin":true}}'))`,
    'invalid_output',
    /__proto__/,
  ],
  'a claim that is NaN': [
    `api.idToken.setCustomClaim('a', NaN)`,
    'error',
    /^TypeError: api\.idToken\.setCustomClaim: value is not a JSON number/,
  ],
  'a claim that is a function': [
    `api.idToken.setCustomClaim('a', { f() {} })`,
    'error',
    /^TypeError: .* f is a function/,
  ],
  'a claim that is circular': [
    `const o = {}; o.o = o; api.idToken.setCustomClaim('a', o)`,
    'error',
    /^TypeError: Converting circular/,
  ],
  'a claim name that is no text': [`api.idToken.setCustomClaim({}, 1)`, 'invalid_output', /does not fit/],
}

for (const [name, [body, reason, detail]] of Object.entries(abuses)) {
  test(`N190 ${name}: the whole list is refused`, async () => {
    const failure = failureOf(await runBody(runner, `api.idToken.setCustomClaim('good', 1)\n${body}`))
    assert.equal(failure.reason, reason)
    assert.match(failure.detail, detail)
  })
}

test('N190 actions that together exceed the limit of a token are refused whole', async () => {
  const big = (name: string) => action(handler(`api.idToken.setCustomClaim('${name}', 'x'.repeat(60000))`), { name })
  assert.equal(commandsOf(await runAll(runner, [big('a')])).length, 1)
  const failure = failureOf(await runAll(runner, [big('a'), big('b')]))
  assert.equal(failure.reason, 'invalid_output')
  assert.match(failure.detail, /^idToken\.setCustomClaim was given \d+ bytes in all, more than 100000$/)
})

test('N187 a runner has an empty environment and, under a root server, no privilege', {
  skip: !existsSync('/proc/self/status'),
}, async () => {
  await runBody(runner, '')
  const [pid] = runner.pids()
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  if (process.getuid?.() === 0)
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534$/m)
  assert.equal(readFileSync(`/proc/${pid}/environ`, 'utf8'), '')
})
