/** What an invocation may use: memory, output, the size of its event. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type LocalBench, pid, startLocalBench } from './fixture.ts'
import { residentMb } from './memory.ts'

const prints = `
import { writeSync } from 'node:fs'
export const handler = async ({ rawQueryString }) => {
  const lines = Buffer.from('x\\n'.repeat(rawQueryString === 'loop' ? 32768 : 2000))
  do try { writeSync(1, lines) } catch (error) { if (error.code !== 'EAGAIN') throw error }
  while (rawQueryString === 'loop')
  return process.pid
}`
const chats = `
export const handler = async () => {
  for (;;) {
    for (let i = 0; i < 500; i++) console.log('hello')
    await new Promise((resolve) => setImmediate(resolve))
  }
}`

describe('the processes of functions', () => {
  let local: LocalBench
  before(async () => {
    local = await startLocalBench(
      {
        other: { text: pid },
        buffers: {
          text: 'const kept = []; export const handler = async () => { for (;;) { kept.push(Buffer.alloc(8 * 1024 * 1024, 1)); await new Promise((r) => setTimeout(r, 10)) } }',
          config: { timeoutMs: 20_000 },
        },
        heap: {
          text: 'const kept = []; export const handler = async () => { for (;;) kept.push({ a: [Math.random()], b: String(kept.length) }) }',
          config: { timeoutMs: 60_000 },
          integrationTimeoutMs: 30_000,
        },
        prints: { text: prints, config: { timeoutMs: 2_000 } },
        chats: { text: chats, config: { timeoutMs: 2_000 } },
        bytes: { text: 'export const handler = async ({ body }) => body.length' },
      },
      { maxProcesses: 3 },
    )
  })
  after(() => local.close())

  it('that use more memory than they may are ended, whether it is heap or buffers', { timeout: 100_000 }, async () => {
    const { failure } = local
    assert.match(await failure('buffers'), /^buffers used more than its 128 MB of memory$/)
    assert.match(
      await failure('heap'),
      /^(heap used more than its 128 MB of memory|the process of heap ended \(SIGABRT\))$/,
    )
  })

  it('that write without end are ended in time, and keep no other from answering', async () => {
    const { answer, failure } = local
    for (const name of ['prints', 'chats']) {
      local.logs.length = 0
      const ended = failure(name, 'loop')
      const others = (async () => {
        for (let calls = 0; calls < 20; calls++) {
          assert.match(await answer('other'), /^\d+$/)
          await wait(50)
        }
      })()
      await others
      assert.match(await ended, /^prints timed out after 2\.00 seconds$|^chats (timed out|used more than its 128 MB)/)
      const lines = local.logs.filter(({ function: function_ }) => function_ === name).length
      assert.ok(lines > 500 && lines < 50_000, `${lines} lines`)
    }
  })

  it('that write much lose nothing of it', async () => {
    const { answer } = local
    local.logs.length = 0
    assert.match(await answer('prints'), /^\d+$/)
    const printed = () => local.logs.filter(({ msg }) => msg === 'x').length
    while (printed() < 2000) await wait(20)
    assert.equal(printed(), 2000)
  })

  it('are not given an event of more than 6 MB', async () => {
    const send = (bytes: number) => local.call('bytes', { method: 'POST', body: Buffer.alloc(bytes) })
    assert.equal((await send(4_500_000)).body, '6000000')
    const refused = await send(5_000_000)
    assert.deepEqual([refused.status, refused.body], [413, '{"message":"Request Entity Too Large"}'])
  })
})

describe('functions that are run here', () => {
  it('have their memory read on systems without /proc as well', async () => {
    const [own, other] = [await residentMb(process.pid), await residentMb(process.pid, 'darwin')]
    assert.ok(own > 20 && other > 20 && Math.abs(own - other) < own / 2, `${own} MB and ${other} MB`)
    assert.equal(await residentMb(2 ** 22 + 1), 0)
  })
})
