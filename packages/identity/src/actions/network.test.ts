import assert from 'node:assert/strict'
import { test } from 'node:test'
import { action, commandsOf, failureOf, handler, reportOf, runAll, runBody, sleep, testRunner } from './fixture.ts'
import { startUpstream } from './outside/test-upstream.ts'

const { runner } = testRunner({}, 1, ['127.0.0.0/8'])
const upstream = await startUpstream()
const { base } = upstream

test('fetch sends what it is given and answers with what came back', async () => {
  const answer = await reportOf(
    runner,
    `const r = await fetch('${base}/people?id=1', {
      method: 'post', headers: { 'Content-Type': 'application/json', Authorization: 'Bearer t' }, body: JSON.stringify({ a: 'ü' }) })
    const { method, path, headers, body } = await r.json()
    report([r.status, r.ok, r.statusText, r.url, r.redirected, r.headers.get('Content-Type'), r.bodyUsed, method, path, headers.authorization, headers['content-type'], body])`,
  )
  assert.deepEqual(answer, [
    200,
    true,
    'OK',
    `${base}/people?id=1`,
    false,
    'application/json',
    true,
    'POST',
    '/people?id=1',
    'Bearer t',
    'application/json',
    '{"a":"ü"}',
  ])
})

const sameAsNode: Record<string, string> = {
  'bodies of every kind': `await Promise.all([
      'text', new URLSearchParams({ a: 'b c' }), new Uint8Array([104, 105]), new TextEncoder().encode('ab').buffer, '', undefined
    ].map(async (body) => { const it = await (await fetch(BASE, { method: 'PUT', body })).json(); return [it.body, it.headers['content-type'] ?? null, it.headers['content-length']] }))`,
  'a Request with other options': `await (async () => { const r = new Request(BASE + '/x', { method: 'POST', body: 'a', headers: { 'x-a': '1' } })
      const it = await (await fetch(r.clone(), { headers: { 'x-b': '2' } })).json(); return [r.method, r.url, it.body, it.headers['x-a'] ?? null, it.headers['x-b'], it.method] })()`,
  headers: `(() => { const h = new Headers([['B', '1'], ['a', '2'], ['b', ' 3 ']]); h.append('set-cookie', 'x=1'); h.append('Set-Cookie', 'y=2'); h.delete('nothing')
      return [[...h], h.get('B'), h.has('A'), h.get('c'), h.getSetCookie(), [...h.keys()]] })()`,
  'wrong headers': `['a b', '', 'ü', 'a:'].map((name) => { try { new Headers({ [name]: 'x' }) } catch (e) { return e.constructor.name } })`,
  'values that would begin another header': `['a\\r\\nb: c', 'a\\0', '€'].map((value) => { try { new Headers({ a: value }) } catch (e) { return e.constructor.name } })`,
  'a body is read once': `await (async () => { const r = new Response('x'); await r.text(); try { await r.text() } catch (e) { return [e.constructor.name, r.bodyUsed] } })()`,
  'copies of an answer': `await (async () => { const r = new Response('{"a":1}', { status: 201 }); const c = r.clone(); return [await r.json(), await c.text(), c.status] })()`,
  'Response.json': `await (async () => { const r = Response.json({ a: 1 }, { status: 202 }); return [r.status, r.headers.get('content-type'), await r.json()] })()`,
  'a GET has no body': `(() => { try { new Request('https://a.test', { body: 'x' }) } catch (e) { return e.constructor.name } })()`,
  methods: `['get', 'PATCH', 'patch', 'CONNECT', 'a b'].map((method) => { try { return new Request('https://a.test', { method }).method } catch (e) { return e.constructor.name } })`,
  'no URL, or one with a password': `['x', 'https://a:b@c.test'].map((url) => { try { return new Request(url).url } catch (e) { return e.constructor.name } })`,
  aborts: `await (async () => { const c = new AbortController(); const seen = []; c.signal.addEventListener('abort', (e) => seen.push(e.type)); c.signal.onabort = () => seen.push('on')
      c.abort(); c.abort(); seen.push(c.signal.aborted, c.signal.reason.name); try { c.signal.throwIfAborted() } catch (e) { seen.push(e.name) }
      try { await fetch(BASE, { signal: c.signal }) } catch (e) { seen.push(e.name) }
      seen.push(AbortSignal.abort('why').reason, AbortSignal.any([new AbortController().signal, AbortSignal.abort('x')]).aborted); return seen.sort() })()`,
  'a time limit': `await fetch(BASE + '/slow', { signal: AbortSignal.timeout(50) }).catch((e) => [e.name, e.message])`,
  'the address of an answer': `await (async () => (await fetch(BASE + '/x?a#part')).url.slice(BASE.length))()`,
  redirects: `await (async () => { const get = async (path, redirect) => { try { const r = await fetch(BASE + path, { redirect }); return [r.status, r.redirected, r.url.slice(BASE.length)] } catch (e) { return e.constructor.name } }
      return [await get('/moved', 'follow'), await get('/moved', 'manual'), await get('/moved', 'error')] })()`,
}

for (const [name, expression] of Object.entries(sameAsNode)) {
  test(`fetch is that of Node.js in this: ${name}`, async () => {
    const { base } = await startUpstream((seen, response) => {
      if (seen.path === '/slow') return true
      if (seen.path !== '/moved') return false
      response.writeHead(302, { location: '/there' }).end()
      return true
    })
    const here = await new Function('BASE', `return (async () => (${expression}))()`)(base)
    const there = await reportOf(runner, `const BASE = '${base}'\nreport(${expression})`)
    assert.deepEqual(there, JSON.parse(JSON.stringify(here)))
  })
}

test('N19 what may not be called fails at the line of the call, with the remedy, and refuses the sign-in', async () => {
  const failure = failureOf(await runBody(runner, `await null\nawait fetch('http://169.254.169.254/latest/')`))
  assert.equal(failure.reason, 'error')
  assert.match(
    failure.detail,
    /^TypeError: fetch failed: the address cannot be called: it leads into a network that is not public\. Private networks are called only where TENANTRY_ACTIONS_EGRESS_ALLOW .*\n {4}at .*action\.js:3:1/,
  )
  const { runner: strict } = testRunner()
  const none = await startUpstream()
  for (const url of [none.base, `http://localhost:${none.port}`, `http://[::ffff:127.0.0.1]:${none.port}`]) {
    assert.match(
      failureOf(await runBody(strict, `await fetch('${url}')`)).detail,
      /^TypeError: fetch failed: the address/,
    )
  }
  assert.equal(none.seen.length, 0)
})

test('an Action may catch a call that fails, and then the sign-in goes on', async () => {
  const caught = await reportOf(
    runner,
    `try { await fetch('http://127.0.0.1:1/') } catch (error) { report([error.constructor === TypeError, error.message]) }`,
  )
  assert.deepEqual(caught, [true, 'fetch failed: ECONNREFUSED'])
})

test('an Action calls out twenty times in a run, and the next run has its twenty again', async () => {
  const before = upstream.seen.length
  const same = action(
    handler(`const results = await Promise.allSettled(Array.from({ length: 23 }, () => fetch('${base}/count')))
    api.idToken.setCustomClaim('r', [results.filter((it) => it.status === 'fulfilled').length, results.at(-1).reason.message])`),
  )
  for (let run = 1; run <= 2; run++) {
    const [command] = commandsOf(await runAll(runner, [same]))
    assert.deepEqual((command as { value: unknown }).value, [
      20,
      'fetch failed: an Action may call out 20 times in a run',
    ])
    assert.equal(upstream.seen.length - before, 20 * run)
  }
})

test('a request or an answer that is too large fails the call and nothing else', async () => {
  const large = await startUpstream((_seen, response) => {
    response.end(Buffer.alloc(3_000_000, '"'))
    return true
  })
  const { runner: patient } = testRunner({ cpuMs: 5_000 }, 1, ['127.0.0.0/8'])
  const neighbour = reportOf(patient, `await new Promise((r) => setTimeout(r, 300))\nreport('finished')`, 'env_b')
  await reportOf(patient, 'report(1)')
  const pids = patient.pids()
  const tooLarge = 'fetch failed: request and answer are together larger than the 1024 KB of a call'
  const send = (body: string, to = base) =>
    reportOf(
      patient,
      `report(await fetch('${to}', { method: 'POST', body: ${body} }).then((it) => it.status, (it) => it.message))`,
    )
  assert.equal(await send(`'"'.repeat(600_000)`), tooLarge)
  assert.equal(await send(`'€'.repeat(1_000_000)`), 'fetch failed: the request is larger than the 1024 KB of a call')
  assert.equal(await send(`'\\u0001'.repeat(1_000_000)`), 'fetch failed: the request is too large')
  assert.equal(await send('new Uint8Array(3_000_000)'), 'fetch failed: the request is too large')
  assert.equal(await send('null', large.base), tooLarge)
  assert.equal(await send('new Uint8Array(500_000).fill(7)', (await startUpstream((_, it) => !!it.end())).base), 200)
  assert.equal(await neighbour, 'finished')
  assert.deepEqual(patient.pids(), pids)
})

test('N184 a server that does not answer refuses the sign-in when the time of the Action is over, and is hung up on', async () => {
  const { runner: short } = testRunner({ wallMs: 600 }, 1, ['127.0.0.0/8'])
  const silent = await startUpstream(() => true)
  const failure = failureOf(await runBody(short, `try { await fetch('${silent.base}') } catch { report('caught') }`))
  assert.deepEqual([failure.reason, failure.detail], ['timeout', 'The action ran longer than 600 ms.'])
  while (silent.brokenOff() < 1) await sleep(5)
  const outcome = await runBody(
    short,
    `try { await fetch('${silent.base}', { signal: AbortSignal.timeout(50) }) } catch (error) { api.idToken.setCustomClaim('e', error.name) }`,
  )
  assert.deepEqual(commandsOf(outcome), [{ type: 'idToken.setCustomClaim', key: 'e', value: 'TimeoutError' }])
  while (silent.brokenOff() < 2) await sleep(5)
})

test('calls that are aborted are hung up on at once, and make place for others', async () => {
  const silent = await startUpstream((seen) => seen.path === '/silent')
  const seen = await reportOf(
    runner,
    `const late = () => fetch('${silent.base}/silent', { signal: AbortSignal.timeout(60) }).catch((error) => error.name)
    const names = await Promise.all([late(), late(), late(), late(), late(), late()])
    const never = new AbortController()
    const dropped = fetch('${silent.base}/dropped', { signal: never.signal }).catch((error) => error.name)
    never.abort()
    report([names, await dropped, (await fetch('${silent.base}/quick')).status])`,
  )
  assert.deepEqual(seen, [Array(6).fill('TimeoutError'), 'AbortError', 200])
  // What was aborted before it could leave never does; four were under way, and the last is answered.
  const paths = silent.seen.map(({ path }) => path)
  assert.deepEqual([paths.includes('/dropped'), paths.at(-1)], [false, '/quick'])
  while (silent.brokenOff() < paths.length - 1) await sleep(5)
})

test('a call that nobody waits for does not hold up the run, and is hung up on at its end', async () => {
  const silent = await startUpstream(() => true)
  const began = performance.now()
  assert.deepEqual(
    commandsOf(await runBody(runner, `void fetch('${silent.base}').catch(() => {}); await fetch('${base}/other')`)),
    [],
  )
  assert.ok(performance.now() - began < 8000)
  while (silent.brokenOff() < silent.seen.length) await sleep(5)
})

test('N192 a run that has called out is not run again when its process is killed; one that has not is', async () => {
  const { runner: own } = testRunner({}, 1, ['127.0.0.0/8'])
  const once = await startUpstream(() => true)
  const called = runBody(own, `await fetch('${once.base}/charge', { method: 'POST' })`)
  while (once.seen.length === 0) await sleep(5)
  process.kill(own.pids()[0]!, 'SIGKILL')
  const failure = failureOf(await called)
  assert.deepEqual([failure.reason, failure.detail], ['runner_lost', 'The runner process ended (SIGKILL).'])
  assert.equal(await reportOf(own, `report('next')`), 'next')
  assert.equal(once.seen.length, 1)
})

test('N192 beside an Action that ruins the process, those that have called out fail and the others are run again', async () => {
  const { runner: shared } = testRunner({ wallMs: 2_500 }, 1, ['127.0.0.0/8'])
  const once = await startUpstream(() => true)
  const slow = `await new Promise((r) => setTimeout(r, 2000))`
  assert.equal(await reportOf(shared, 'report(1)', 'env_b'), 1)
  const ruining = runBody(shared, 'await new Promise((r) => setTimeout(r, 2400))', {}, 'env_ruin')
  await sleep(700)
  const called = runBody(shared, `await fetch('${once.base}/charge')`, {}, 'env_b')
  const quiet = reportOf(shared, `${slow}\nreport('finished')`, 'env_c')
  while (once.seen.length === 0) await sleep(5)
  process.kill(shared.pids()[0]!, 'SIGSTOP')
  assert.equal(failureOf(await ruining).reason, 'runner_lost')
  assert.equal(failureOf(await called).reason, 'runner_lost')
  assert.equal(await quiet, 'finished')
  assert.equal(once.seen.length, 1)
})

test('N185 a run that has called out is not run again in a fresh isolate when it runs out of memory', async () => {
  const same = action(
    handler(`await fetch('${base}/' + event.who)
    if (event.bomb) { const a = []; for (;;) a.push(new Array(1000).fill(1.5)) }`),
  )
  const asked = (path: string) => upstream.seen.filter((seen) => seen.path === path).length
  // The isolate has served before: a run without a call would be tried once more.
  commandsOf(await runAll(runner, [same], { who: 'honest' }))
  const failure = failureOf(await runAll(runner, [same], { who: 'bomb', bomb: true }))
  assert.match(failure.reason, /^(memory|timeout)$/)
  assert.deepEqual([asked('/honest'), asked('/bomb')], [1, 1])
})

test('N191 what an Action calls with is in no log and no error', async () => {
  const { runner: own, entries } = testRunner({}, 1, ['127.0.0.0/8'])
  const secrets = { KEY: 'sesame-open', TOKEN: 'second-word' }
  const body = `console.log('calling', event.secrets.KEY)
    const axios = require('axios')
    try { await axios.get('http://127.0.0.1:1/?key=' + event.secrets.KEY, { headers: { authorization: event.secrets.TOKEN } }) }
    catch (error) { console.log(error); console.log(JSON.stringify(error.toJSON())); console.error(error.config) }
    await fetch('no address ' + event.secrets.KEY)`
  const failure = failureOf(await runAll(own, [action(handler(body), { secrets })]))
  const all = JSON.stringify([failure, entries])
  assert.match(failure.detail, /^TypeError: Failed to parse URL from no address \[redacted\]/)
  for (const secret of Object.values(secrets)) assert.ok(!all.includes(secret), all)
})

test('code that is checked at deploy calls nobody', async () => {
  const before = upstream.seen.length
  const code = `fetch('${base}/at-the-top'); exports.onExecutePostLogin = () => {}`
  assert.deepEqual(await runner.checkCode(code), { ok: true })
  assert.equal(upstream.seen.length, before)
})

test('errors that libraries wrap are told with their cause', async () => {
  const failure = failureOf(await runBody(runner, `await require('axios').get('http://169.254.169.254/')`))
  assert.match(
    failure.detail,
    /^AxiosError: Network Error\n[\s\S]*\ncaused by TypeError: fetch failed: the address cannot be/,
  )
})
