/** What an Action can tell the runner process in the place of our code beside it, which reaches nobody but itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reportOf, runBody, testRunner } from './fixture.ts'
import { startUpstream } from './outside/test-upstream.ts'

const { base } = await startUpstream(() => true)

/** The list of calls that are waited for no more, caught as our code makes its first entry. */
const dropping = (forge: string) => `
  let list
  Object.defineProperty(Array.prototype, '0', { configurable: true, set(value) {
    if (typeof value === 'number') list = this
    Object.defineProperty(this, '0', { value, writable: true, configurable: true, enumerable: true }) } })
  const stop = new AbortController()
  fetch('${base}/', { signal: stop.signal }).catch(() => {})
  setTimeout(() => { stop.abort(); ${forge} }, 20)
  await new Promise((r) => setTimeout(r, 200))`

const asking = (text: string) => `
  JSON.stringify = () => ${text}
  await fetch('${base}/').catch(() => {})`

const forged: Record<string, { body: string; atOnce?: number }> = {
  'a call without a number': { body: dropping(`list[0] = 'x'`) },
  'a call without an end': { body: dropping('list[0] = Infinity') },
  'a request of characters that no JSON holds': { body: asking(`'\\x01'.repeat(1_800_000)`) },
  'a request of half characters': { body: asking(`'\\ud800'.repeat(1_800_000)`) },
  'requests that fill the process': { body: asking(`'x'.repeat(100 * 1024 * 1024)`), atOnce: 8 },
  'a request that is no text': { body: asking('({ toString: () => ({}) })') },
}

for (const [name, { body, atOnce = 1 }] of Object.entries(forged)) {
  test(`N184 an Action that forges ${name} ends no run of another environment, and not the process`, async () => {
    const { runner, entries } = testRunner({}, 1, ['127.0.0.0/8'])
    const waiting = `await new Promise((r) => setTimeout(r, 1500))\nreport('finished')`
    assert.equal(await reportOf(runner, waiting, 'env_other'), 'finished')
    const [neighbour] = await Promise.all([
      reportOf(runner, waiting, 'env_other').catch(String),
      ...Array.from({ length: atOnce }, () => runBody(runner, body)),
    ])
    assert.deepEqual([neighbour, entries], ['finished', []])
  })
}
