/** Processes that end before their invocation does: killed in time, by themselves, with what they have started. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type LocalBench, startLocalBench, untilGone } from './fixture.ts'

describe('the processes of functions', () => {
  let local: LocalBench
  before(async () => {
    local = await startLocalBench(
      {
        loops: {
          text: 'export const handler = async ({ rawQueryString }) => { while (rawQueryString === "loop"); return process.pid }',
          config: { timeoutMs: 3_000 },
        },
        hangs: {
          text: 'setInterval(() => {}, 1000); export const handler = () => new Promise(() => {})',
          config: { timeoutMs: 300 },
        },
        exits: {
          text: 'export const handler = async ({ rawQueryString }) => { if (rawQueryString === "exit") process.exit(3); return process.pid }',
        },
        raises: {
          text: `export const handler = async ({ rawQueryString }) => {
            if (rawQueryString === 'now') { setTimeout(() => { throw new Error('outside') }, 10); await new Promise((r) => setTimeout(r, 1000)) }
            if (rawQueryString === 'after') setTimeout(() => Promise.reject(new Error('too late')), 30)
            return process.pid
          }`,
        },
        parent: {
          text: `import { spawn } from 'node:child_process'
            export const handler = async () => {
              const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
              console.log('child %d', child.pid)
              await new Promise(() => setInterval(() => {}, 1000))
            }`,
          config: { timeoutMs: 3_000 },
        },
      },
      { maxProcesses: 3 },
    )
  })
  after(() => local.close())

  it('are killed when an invocation takes longer than the function may, and replaced', async () => {
    const { answer, failure } = local
    const first = Number(await answer('loops'))
    assert.match(await failure('loops', 'loop'), /^loops timed out after 3\.00 seconds$/)
    await untilGone(first)
    assert.notEqual(Number(await answer('loops')), first)
    assert.match(await failure('hangs'), /^hangs timed out after 0\.30 seconds$/)
  })

  it('that exit or raise outside of the handler fail their invocation, and no other', async () => {
    const { answer, failure } = local
    const before = await answer('exits')
    assert.match(await failure('exits', 'exit'), /^the process of exits ended \(3\)$/)
    assert.notEqual(await answer('exits'), before)
    assert.match(await failure('raises', 'now'), /^raises crashed: Error: outside/)
    const raised = Number(await answer('raises', 'after'))
    await untilGone(raised)
    assert.match(await answer('raises'), /^\d+$/)
    assert.ok(
      local.logs.some(
        ({ function: name, msg, level }) => name === 'raises' && level === 50 && /too late/.test(String(msg)),
      ),
    )
  })

  it('take with them what they started', async () => {
    const { failure } = local
    assert.match(await failure('parent'), /timed out/)
    const line = local.logs.find(({ function: name, msg }) => name === 'parent' && /^child/.test(String(msg)))
    await untilGone(Number(/\d+/.exec(String(line?.msg))![0]))
  })
})
