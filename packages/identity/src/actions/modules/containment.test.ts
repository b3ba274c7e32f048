import assert from 'node:assert/strict'
import { test } from 'node:test'
import { action, commandsOf, failureOf, handler, reportOf, runAll, runBody, testRunner } from '../fixture.ts'
import { startUpstream } from '../outside/test-upstream.ts'

/** Names everything that there is. */
const EVERYTHING = `const all = [require('axios'), require('lodash'), require('uuid'), require('jsonwebtoken'), require('node-fetch'),
  require('crypto'), require('buffer'), require('url'), require('util'), require('querystring'), fetch, Headers, Request, Response,
  AbortController, AbortSignal, DOMException, URL, URLSearchParams, Buffer, TextEncoder, TextDecoder, structuredClone, crypto]`

const { runner } = testRunner({}, 1, ['127.0.0.0/8'])
const { runner: patient } = testRunner({ cpuMs: 1_000 }, 1, ['127.0.0.0/8'])

test('N186 with everything loaded, nothing of the engine, of Node or of shared memory is in the object graph', async () => {
  const found = await reportOf(
    patient,
    `${EVERYTHING}
    const seen = new Set(), names = new Set()
    const queue = [globalThis, event, api, all, require, module, console, await fetch('${(await startUpstream()).base}')]
    while (queue.length > 0) {
      const it = queue.pop()
      if ((typeof it !== 'object' && typeof it !== 'function') || it === null || seen.has(it)) continue
      seen.add(it)
      if (typeof it === 'function') names.add(it.name)
      names.add(Object.prototype.toString.call(it).slice(8, -1))
      queue.push(Object.getPrototypeOf(it))
      if (ArrayBuffer.isView(it)) continue
      for (const key of Reflect.ownKeys(it)) {
        const d = Object.getOwnPropertyDescriptor(it, key)
        queue.push(d.value, d.get, d.set)
      }
    }
    const wanted = ['Reference', 'ExternalCopy', 'Isolate', 'Context', 'Module', 'Callback', 'Script', 'NativeModule',
      'SharedArrayBuffer', 'Atomics', 'WebAssembly', 'FinalizationRegistry', 'process', 'ivm', 'applySync', 'derefInto',
      'copyInto', 'tenantryPart']
    report(['visited ' + (seen.size > 2000), ...wanted.filter((name) => names.has(name))])`,
  )
  assert.deepEqual(found, ['visited true'])
})

test('N186 no way out through what is loaded', async () => {
  const found = await reportOf(
    runner,
    `${EVERYTHING}
    const seen = new Set()
    for (const it of [...all, require, await new Response('x').arrayBuffer(), fetch('http://127.0.0.1:1').catch(() => {})])
      seen.add(it.constructor.constructor('return typeof process + typeof ivm + typeof tenantryPart')())
    report([...seen])`,
  )
  assert.deepEqual(found, ['undefinedundefinedundefined'])
})

test('N185 large buffers stay refused with Buffer and the others loaded', async () => {
  for (const body of [
    'const a = []; for (;;) a.push(Buffer.alloc(1e6))',
    'Buffer.alloc(1.5e9)',
    'const B = Buffer.alloc(1).buffer.constructor\nif (new B(8, { maxByteLength: 9e8 }).resizable) return\nnew B(9e8, { maxByteLength: 9e8 })',
    'new TextEncoder().encode("x").buffer.resize(9e8)',
  ]) {
    const { detail } = failureOf(await runBody(patient, body))
    assert.match(detail, /^(RangeError: Array buffer allocation failed|TypeError: .*resize is not a function)\n/)
  }
})

const bombs: Record<string, string> = {
  arrays: 'const a = []; for (;;) a.push(new Array(1000).fill(1.5))',
  'texts of Buffer': `const a = []; for (let n = 0; ; n++) a.push(Buffer.from('x' + n).toString('hex').repeat(2e5).split('').join(n))`,
  'parameters of URLs': `const p = new URLSearchParams(); for (let n = 0; ; n++) p.append('name' + n, 'value' + n)`,
  'calls that never leave': `const a = []; for (;;) a.push(fetch('http://127.0.0.1:1/' + a.length))`,
}

for (const [name, body] of Object.entries(bombs)) {
  test(`N185 a memory bomb of ${name} is stopped with everything loaded, and a neighbour finishes`, async () => {
    const neighbour = reportOf(patient, `await new Promise((r) => setTimeout(r, 300))\nreport('finished')`, 'env_b')
    const failure = failureOf(await runBody(patient, `${EVERYTHING}\n${body}`, {}, `env_${name}`))
    assert.match(failure.reason, /^(memory|timeout)$/, failure.detail)
    assert.equal(await neighbour, 'finished')
  })
}

const loops: Record<string, string> = {
  hashing: `const h = require('crypto').createHash('sha512'); for (;;) h.update('x')`,
  'drawing random numbers': `for (;;) require('crypto').randomBytes(1000)`,
  'parsing addresses': `for (;;) new URL('http://exämple.test/')`,
  'a clone': 'for (;;) structuredClone(globalThis.a ??= [1, [2]])',
  intervals: 'setInterval(() => { for (;;); }, 1); await new Promise(() => {})',
  'calls and answers': `for (;;) await fetch('http://127.0.0.1:1/').catch(() => {})`,
}

for (const [name, body] of Object.entries(loops)) {
  test(`N184 an endless loop of ${name} is stopped by CPU time`, async () => {
    const failure = failureOf(await runBody(runner, body))
    assert.deepEqual([failure.reason, failure.detail], ['timeout', 'The action used more than 250 ms of CPU time.'])
  })
}

test('N185 isolates that wait with their modules loaded never fill the process: seventy Actions run in the same one', async () => {
  const { runner: roomy, entries } = testRunner({ cpuMs: 1_000 })
  const pids = new Set<number>()
  for (let n = 0; n < 70; n++) {
    commandsOf(await runBody(roomy, `${EVERYTHING}\napi.idToken.setCustomClaim('n', all.length)`, {}, `env_${n % 7}`))
    pids.add(roomy.pids()[0]!)
  }
  assert.deepEqual([pids.size, entries], [1, []])
})

test('N183 what one run does to prototypes and modules is not seen in the next', async () => {
  const same = action(
    handler(`${EVERYTHING}
    if (event.pollute) {
      Object.prototype.polluted = 'yes'
      for (const it of all) { try { it.polluted = 'yes'; it.prototype && (it.prototype.polluted = 'yes') } catch {} }
      Buffer.from = () => 'evil'; URL.prototype.toString = () => 'evil'; JSON.stringify = () => 'evil'
      require('axios').defaults.headers.common.authorization = 'Bearer of another'
      require('axios').get = require('lodash').get = require('crypto').createHmac = () => 'evil'
      require('lodash').merge({}, JSON.parse('{"__proto__":{"merged":"yes"}}'))
      crypto.getRandomValues = (it) => it; crypto.randomUUID = () => 'evil'
      Promise.prototype.then = Map.prototype.get = String.prototype.split = () => { throw new Error('evil') }
      return
    }
    api.idToken.setCustomClaim('r', [
      {}.polluted ?? null, {}.merged ?? null, all.some((it) => it.polluted || it.prototype?.polluted),
      Buffer.from('a').toString('hex'), String(new URL('https://a.test')), require('axios').defaults.headers.common.authorization ?? null,
      require('lodash').get({ a: 1 }, 'a'), crypto.randomUUID().length, require('crypto').createHmac('sha256', 'a').update('b').digest('hex').length])`),
  )
  const honest = [null, null, false, '61', 'https://a.test/', null, 1, 36, 64]
  const { runner: roomy } = testRunner({ cpuMs: 1_000 })
  for (const environmentId of ['env_a', 'env_a', 'env_b']) {
    const [command] = commandsOf(await runAll(roomy, [same], {}, environmentId))
    assert.deepEqual((command as { value: unknown }).value, honest)
    await runAll(roomy, [same], { pollute: true }, environmentId)
  }
})

test('N190 a guest that forges calls and answers reaches the broker alone, which refuses what is none', async () => {
  const { base, seen } = await startUpstream()
  const found = await reportOf(
    runner,
    `const real = JSON.stringify
    const said = []
    for (const forged of ['{"url":"http://169.254.169.254/","method":"GET","headers":[],"redirect":"follow","body":null}', '[]', '"x"', '{', real({ url: '${base}', method: 'GET\\r\\nx: y', headers: [], redirect: 'follow' })]) {
      JSON.stringify = () => forged
      const call = fetch('${base}')
      JSON.stringify = real
      await call.catch((error) => said.push(error.message.slice(0, 60)))
    }
    report(said)`,
  )
  assert.deepEqual(found, [
    'fetch failed: the address cannot be called: it leads into a ',
    'fetch failed: the request is no object',
    'fetch failed: the request is no object',
    'fetch failed: the request is no JSON',
    'fetch failed: the method is not allowed',
  ])
  assert.equal(seen.length, 0)
})
