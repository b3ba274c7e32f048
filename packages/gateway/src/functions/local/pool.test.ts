/** How processes are shared out: one invocation at a time, used again, never more than allowed. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { arnOf, type LocalBench, pid, slow, startLocalBench, untilGone } from './fixture.ts'

describe('the processes of functions', () => {
  let local: LocalBench
  before(async () => {
    local = await startLocalBench({ slow: { text: slow }, other: { text: pid } }, { maxProcesses: 3 })
  })
  after(() => local.close())

  it('take one invocation at a time, are used again, and never are more than allowed', async () => {
    const { answer } = local
    const answers = await Promise.all(Array.from({ length: 9 }, () => answer('slow')))
    const found = answers.map((text) => JSON.parse(text) as { pid: number; overlaps: boolean })
    assert.ok(found.every(({ overlaps }) => !overlaps))
    assert.equal(new Set(found.map(({ pid }) => pid)).size, 3)
    const { pid: warm } = JSON.parse(await answer('slow', '1'))
    assert.equal(JSON.parse(await answer('slow', '1')).pid, warm)
  })

  it('make room for another function when all are taken by idle ones', async () => {
    const { answer } = local
    await Promise.all(Array.from({ length: 3 }, () => answer('slow')))
    assert.match(await answer('other'), /^\d+$/)
    assert.equal(await answer('other'), await answer('other'))
  })
})

describe('functions that are run here', () => {
  it('refuse what would wait in vain, with the reason', async () => {
    const local = await startLocalBench({ slow: { text: slow } }, { maxProcesses: 1, maxWaiting: 1 })
    try {
      const invoke = (timeoutMs: number) =>
        local.functions.invoke(arnOf('slow'), '{"rawQueryString":"500"}', { accountId: '000000000001', timeoutMs })
      const first = invoke(10_000)
      const second = invoke(50)
      await assert.rejects(invoke(10_000), { reason: 'unreachable', message: /1 invocations wait already/ })
      await assert.rejects(second, { reason: 'timeout', message: /within 50 ms: all 1 processes were busy/ })
      assert.equal(JSON.parse(await first).invocations, 1)
      await assert.rejects(
        local.functions.invoke(arnOf('none'), '{}', { accountId: '000000000001', timeoutMs: 1_000 }),
        {
          reason: 'unknown',
          message: /there is no function arn:aws:lambda:.*:none here/,
        },
      )
    } finally {
      await local.close()
    }
  })

  it('finish what nobody waits for any longer, and their process is used again', async () => {
    const patient = { text: slow, integrationTimeoutMs: 100 }
    // With one process the next invocation waits for it, however long the first one takes.
    const local = await startLocalBench({ patient }, { maxProcesses: 1 })
    try {
      const late = await local.call('patient', { path: '/patient?400' })
      assert.deepEqual([late.status, late.body], [503, '{"message":"Service Unavailable"}'])
      const text = await local.functions.invoke(arnOf('patient'), '{"rawQueryString":"1"}', {
        accountId: '000000000001',
        timeoutMs: 60_000,
      })
      assert.equal(JSON.parse(text).invocations, 2)
      assert.ok(local.logs.some(({ function: name, msg }) => name === 'patient' && msg === 'done'))
    } finally {
      await local.close()
    }
  })

  it('keep no process that has had nothing to do for a while', async () => {
    const local = await startLocalBench({ other: { text: pid } }, { idleMs: 100 })
    await untilGone(Number((await local.call('other')).body))
    assert.match((await local.call('other')).body, /^\d+$/)
    await local.close()
  })
})
