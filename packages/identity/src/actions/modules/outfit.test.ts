import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBundles } from './bundles.ts'
import { createOutfitter } from './outfit.ts'

test('a plain Action is given nothing, and nothing is bundled for it', async () => {
  const outfit = createOutfitter({ warn() {}, error() {} }, () => assert.fail('bundled'))
  assert.deepEqual(await outfit('a', 'exports.onExecutePostLogin = () => {}'), { sources: [], entropy: undefined })
})

test('modules that cannot be put together are told in the log, give no Action anything, and are tried again', async () => {
  const logged: unknown[] = []
  const bundles = createBundles()
  let tries = 0
  const outfit = createOutfitter({ warn() {}, error: (facts, message) => logged.push(facts.error, message) }, () =>
    ++tries === 1 ? Promise.reject(new Error('no esbuild')) : bundles(),
  )
  assert.equal(await outfit('a', 'new URL(x)'), undefined)
  assert.deepEqual(logged, [new Error('no esbuild'), 'the modules of Actions cannot be put together'])
  const given = await outfit('a', 'new URL(x)')
  assert.deepEqual(
    given?.sources.map(({ name }) => name),
    ['encoding', 'url'],
  )
})

test('every run whose code may ask for random numbers gets a seed of its own', async () => {
  const outfit = createOutfitter({ warn() {}, error() {} })
  const [first, second, other] = await Promise.all(
    ['crypto', 'crypto', 'lodash'].map((name) => outfit(name, `require('${name}')`)),
  )
  assert.match(first!.entropy!, /^[0-9a-f]{96}$/)
  assert.notEqual(first!.entropy, second!.entropy)
  assert.equal(other!.entropy, undefined)
})
