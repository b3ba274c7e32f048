import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createActionCaches } from './caches.ts'
import { action, failureOf, handler, reportOf, runAll, runBody, testRunner } from './fixture.ts'

const { runner } = testRunner()

const get = (key: string, environment: string) =>
  reportOf(runner, `report(api.cache.get('${key}') ?? null)`, environment)
const say = (body: string, environment: string) => reportOf(runner, body, environment)

test('what an Action keeps is found by the next run, with its end, and by the Actions after it', async () => {
  const before = systemClock.now().getTime()
  const set = (await say(`report(api.cache.set('token', 'abc', { ttl: 60000 }))`, 'kept')) as {
    type: string
    record: { value: string; expires_at: number }
  }
  assert.deepEqual([set.type, set.record.value], ['success', 'abc'])
  const left = set.record.expires_at - before
  assert.ok(left >= 60_000 && left < 75_000, String(left))
  assert.deepEqual(await get('token', 'kept'), set.record)

  const chain = [
    action(handler(`api.cache.set('step', 'one')`), { name: 'first' }),
    action(handler(`api.cache.set('step', api.cache.get('step').value + ', two')`), { name: 'second' }),
    action(handler(`api.access.deny(api.cache.get('step').value)`), { name: 'third' }),
  ]
  const outcome = await runAll(runner, chain, {}, 'chain')
  assert.ok(outcome.ok)
  assert.deepEqual(outcome.commands, [{ type: 'access.deny', reason: 'one, two' }])
})

test('N188 nothing is found in another environment or at another trigger', async () => {
  await say(`api.cache.set('secret', 'abc')`, 'mine')
  assert.equal(await get('secret', 'another'), null)
  const exchange = `exports.onExecuteCredentialsExchange = async (event, api) => {
    api.accessToken.setCustomClaim('https://a.test/found', api.cache.get('secret') ?? null)\n}`
  const run = { trigger: 'credentials-exchange' as const, environmentId: 'mine', event: {} }
  const outcome = await runner.run({ ...run, actions: [action(exchange)] })
  assert.ok(outcome.ok)
  assert.deepEqual(outcome.commands, [{ type: 'accessToken.setCustomClaim', key: 'https://a.test/found', value: null }])
  assert.notEqual(await get('secret', 'mine'), null)
})

test('what is deleted is gone, and an Action that fails keeps nothing', async () => {
  await say(`api.cache.set('a', '1')\napi.cache.set('b', '2')`, 'gone')
  assert.deepEqual(await say(`report([api.cache.delete('a'), api.cache.delete('a')])`, 'gone'), [
    { type: 'success' },
    { type: 'error', code: 'CacheKeyDoesNotExist' },
  ])
  assert.deepEqual([await get('a', 'gone'), ((await get('b', 'gone')) as { value: string }).value], [null, '2'])
  failureOf(await runBody(runner, `api.cache.set('c', '3')\napi.cache.delete('b')\nthrow new Error('no')`, {}, 'gone'))
  assert.deepEqual([await get('c', 'gone'), ((await get('b', 'gone')) as { value: string }).value], [null, '2'])
})

test('an entry lasts a quarter of an hour, the earlier of two ends, a day at most, and not longer than it was to', async () => {
  const minutes = async (options: string) =>
    (await say(
      `const { record } = api.cache.set('x', 'y', ${options})\nreport(Math.round((record.expires_at - Date.now()) / 6000) / 10)`,
      'ends',
    )) as number
  assert.equal(await minutes('undefined'), 15)
  assert.equal(await minutes('{ ttl: 60000, expires_at: Date.now() + 120000 }'), 1)
  assert.equal(await minutes('{ ttl: 120000, expires_at: Date.now() + 60000 }'), 1)
  assert.equal(await minutes('{ ttl: 99 * 24 * 3600e3 }'), 24 * 60)
  assert.equal(
    await say(
      `api.cache.set('short', 'y', { ttl: 30 })
    await new Promise((done) => setTimeout(done, 40))
    report(api.cache.get('short') ?? null)`,
      'ends',
    ),
    null,
  )
  assert.equal(await get('short', 'ends'), null)
})

test('what is too large, or makes no sense, is refused in Auth0’s words and leaves the rest as it was', async () => {
  const codeOf = async (call: string) =>
    ((await say(`report(api.cache.set(${call}))`, 'limits')) as { code?: string }).code
  assert.equal(await codeOf(`'k'.repeat(64), 'v'.repeat(4096)`), undefined)
  assert.equal(await codeOf(`'k'.repeat(65), ''`), 'CacheKeySizeExceeded')
  assert.equal(await codeOf(`'é'.repeat(33), ''`), 'CacheKeySizeExceeded')
  assert.equal(await codeOf(`'k', '€'.repeat(1366)`), 'CacheValueSizeExceeded')
  assert.equal(await codeOf(`'k', 5`), 'FailedToSetCacheRecord')
  assert.equal(await codeOf(`'k', '', { ttl: 'soon' }`), 'InvalidExpiry')
  assert.equal(await codeOf(`'k', '', { ttl: NaN }`), 'InvalidExpiry')
  assert.equal(await codeOf(`'k', '', { expires_at: 1 }`), 'ItemAlreadyExpired')
  assert.equal(await codeOf(`'other', 'v'.repeat(4096)`), 'CacheSizeExceeded')
  const many = `let last\nfor (let n = 0; n < 21; n++) last = api.cache.set('k' + n, '')\nreport(last)`
  assert.deepEqual(await say(many, 'many'), { type: 'error', code: 'CacheSizeExceeded' })
  assert.notEqual(await get('k19', 'many'), null)
})

test('an Action that bends what is kept into something large keeps nothing, and ends no process', async () => {
  const bent = `Object.prototype.toJSON = function () { return 'value' in this ? 'x'.repeat(9_000_000) : this }
    api.cache.set('a', 'b')`
  const before = runner.pids()
  for (let n = 0; n < 8; n++) assert.ok((await runBody(runner, bent, {}, 'bent')).ok)
  assert.equal(await get('a', 'bent'), null)
  assert.deepEqual(runner.pids(), before)
})

test('the server keeps nothing that a guest of another make asks for', () => {
  const caches = createActionCaches()
  const keep = (changes: unknown) =>
    caches.keep('env', 'post-login', typeof changes === 'string' ? changes : JSON.stringify(changes))
  const found = () => caches.records('env', 'post-login')
  for (const wrong of ['', '{', 'null', '5', '"x"', 'x'.repeat(200_000)]) keep(wrong)
  keep({ a: 5, b: { value: 5, expires_at: 1 }, c: { value: 'x' }, d: { value: 'v'.repeat(5000), expires_at: 1 } })
  keep({ ['k'.repeat(65)]: { value: '', expires_at: 1 } })
  assert.deepEqual(found() ?? {}, {})
  const half = (expires_at: number) => ({ value: 'v'.repeat(4000), expires_at, more: 'x' })
  keep({ a: half(1), b: half(3), c: half(2) })
  // What ends first makes room.
  assert.deepEqual(Object.keys(found()!).toSorted(), ['b', 'c'])
  assert.deepEqual(Object.keys(found()!.b!), ['value', 'expires_at'])
  keep('{"__proto__":{"value":"x","expires_at":9}}')
  assert.equal(Object.hasOwn(found()!, '__proto__'), true)
  assert.equal(({} as { value?: string }).value, undefined)
  for (let n = 0; n < 5; n++)
    keep(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${n}-${i}`, { value: '', expires_at: 9 }])))
  assert.equal(Object.keys(found()!).length, 20)
})
