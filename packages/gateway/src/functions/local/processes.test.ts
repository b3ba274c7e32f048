import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { FunctionFailed } from '../functions.ts'
import { arnOf, type LocalBench, startLocalBench } from './fixture.ts'
import { createLocalFunctions } from './local.ts'
import { residentMb } from './memory.ts'

const pid = 'export const handler = async () => process.pid'
const slow = `
let invocations = 0
export const handler = async ({ rawQueryString }) => {
  const at = ++invocations
  await new Promise((resolve) => setTimeout(resolve, Number(rawQueryString || 200)))
  console.log('done')
  return { pid: process.pid, overlaps: at !== invocations, invocations }
}`

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

const isAlive = (id: number): boolean => {
  try {
    process.kill(id, 0)
    return true
  } catch {
    return false
  }
}

const untilGone = async (id: number): Promise<void> => {
  while (isAlive(id)) await wait(20)
}

describe('the processes of functions', () => {
  let local: LocalBench
  before(async () => {
    local = await startLocalBench(
      {
        slow: { text: slow },
        other: { text: pid },
        loops: {
          text: 'export const handler = async ({ rawQueryString }) => { while (rawQueryString === "loop"); return process.pid }',
          config: { timeoutMs: 500 },
        },
        hangs: {
          text: 'setInterval(() => {}, 1000); export const handler = () => new Promise(() => {})',
          config: { timeoutMs: 300 },
        },
        patient: { text: slow, integrationTimeoutMs: 100 },
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
        buffers: {
          text: 'const kept = []; export const handler = async () => { for (;;) { kept.push(Buffer.alloc(8 * 1024 * 1024, 1)); await new Promise((r) => setTimeout(r, 10)) } }',
          config: { timeoutMs: 20_000 },
        },
        heap: {
          text: 'const kept = []; export const handler = async () => { for (;;) kept.push({ a: [Math.random()], b: String(kept.length) }) }',
          config: { timeoutMs: 60_000 },
          integrationTimeoutMs: 30_000,
        },
        parent: {
          text: `import { spawn } from 'node:child_process'
            export const handler = async () => {
              const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
              console.log('child %d', child.pid)
              await new Promise(() => setInterval(() => {}, 1000))
            }`,
          config: { timeoutMs: 400 },
        },
        ...{
          prints: { text: prints, config: { timeoutMs: 2_000 } },
          chats: { text: chats, config: { timeoutMs: 2_000 } },
        },
        bytes: { text: 'export const handler = async ({ body }) => body.length' },
      },
      { maxProcesses: 3 },
    )
  })
  after(() => local.close())

  const answer = async (name: string, query = '') => (await local.call(name, { path: `/${name}?${query}` })).body
  const failure = async (name: string, query = ''): Promise<string> => {
    local.bench.logLines.length = 0
    const { status } = await local.call(name, { path: `/${name}?${query}` })
    assert.equal(status, 500)
    const line = local.bench.logLines.find(({ msg }) => msg === 'request failed') as { err: { message: string } }
    return line.err.message
  }

  it('take one invocation at a time, are used again, and never are more than allowed', async () => {
    const answers = await Promise.all(Array.from({ length: 9 }, () => answer('slow')))
    const found = answers.map((text) => JSON.parse(text) as { pid: number; overlaps: boolean })
    assert.ok(found.every(({ overlaps }) => !overlaps))
    assert.equal(new Set(found.map(({ pid }) => pid)).size, 3)
    const { pid: warm } = JSON.parse(await answer('slow', '1'))
    assert.equal(JSON.parse(await answer('slow', '1')).pid, warm)
  })

  it('make room for another function when all are taken by idle ones', async () => {
    await Promise.all(Array.from({ length: 3 }, () => answer('slow')))
    assert.match(await answer('other'), /^\d+$/)
    assert.equal(await answer('other'), await answer('other'))
  })

  it('are killed when an invocation takes longer than the function may, and replaced', async () => {
    const first = Number(await answer('loops'))
    assert.match(await failure('loops', 'loop'), /^loops timed out after 0\.50 seconds$/)
    await untilGone(first)
    assert.notEqual(Number(await answer('loops')), first)
    assert.match(await failure('hangs'), /^hangs timed out after 0\.30 seconds$/)
  })

  it('finish what nobody waits for any longer, and are used again', async () => {
    const late = await local.call('patient', { path: '/patient?400' })
    assert.deepEqual([late.status, late.body], [503, '{"message":"Service Unavailable"}'])
    while (!local.logs.some(({ function: name, msg }) => name === 'patient' && msg === 'done')) await wait(20)
    const text = await local.functions.invoke(arnOf('patient'), '{"rawQueryString":"1"}', {
      accountId: '000000000001',
      timeoutMs: 10_000,
    })
    const { invocations } = JSON.parse(text)
    assert.equal(invocations, 2)
  })

  it('that exit or raise outside of the handler fail their invocation, and no other', async () => {
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

  it('that use more memory than they may are ended, whether it is heap or buffers', { timeout: 100_000 }, async () => {
    assert.match(await failure('buffers'), /^buffers used more than its 128 MB of memory$/)
    assert.match(
      await failure('heap'),
      /^(heap used more than its 128 MB of memory|the process of heap ended \(SIGABRT\))$/,
    )
  })

  it('take with them what they started', async () => {
    assert.match(await failure('parent'), /timed out/)
    const line = local.logs.find(({ function: name, msg }) => name === 'parent' && /^child/.test(String(msg)))
    await untilGone(Number(/\d+/.exec(String(line?.msg))![0]))
  })

  it('that write without end are ended in time, and keep no other from answering', async () => {
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

  it('are loaded anew when a file of their folder changes, and only where that is asked for', async () => {
    const text = (value: string) =>
      `import { value } from './value.mjs'\nexport const handler = async () => value + '${value}'`
    for (const watch of [true, false]) {
      const local = await startLocalBench({ changing: { text: text('-a') } }, { watch })
      try {
        const folder = path.join(local.folder, 'changing')
        writeFileSync(path.join(folder, 'value.mjs'), 'export const value = 1')
        await wait(300)
        assert.equal((await local.call('changing')).body, '1-a')
        writeFileSync(path.join(folder, 'value.mjs'), 'export const value = 2')
        writeFileSync(path.join(folder, 'index.mjs'), text('-b'))
        if (!watch) {
          await wait(500)
          assert.equal((await local.call('changing')).body, '1-a')
          continue
        }
        while ((await local.call('changing')).body !== '2-b') await wait(20)
      } finally {
        await local.close()
      }
    }
  })

  it('finish what is under way when they are closed, and leave no process', async () => {
    const local = await startLocalBench({ slow: { text: slow }, other: { text: pid } })
    const idle = Number((await local.call('other')).body)
    const under = local.functions.invoke(arnOf('slow'), '{"rawQueryString":"500"}', {
      accountId: '000000000001',
      timeoutMs: 10_000,
    })
    await wait(300)
    const closed = local.functions.close()
    await assert.rejects(
      local.functions.invoke(arnOf('slow'), '{}', { accountId: '000000000001', timeoutMs: 1_000 }),
      (error: FunctionFailed) => {
        assert.ok(error instanceof FunctionFailed)
        assert.equal(error.reason, 'unreachable')
        return true
      },
    )
    const { pid: busy } = JSON.parse(await under)
    await closed
    assert.deepEqual([isAlive(idle), isAlive(busy)], [false, false])
    await local.close()
  })

  it('keep no process that has had nothing to do for a while', async () => {
    const local = await startLocalBench({ other: { text: pid } }, { idleMs: 100 })
    await untilGone(Number((await local.call('other')).body))
    assert.match((await local.call('other')).body, /^\d+$/)
    await local.close()
  })

  it('end when the gateway is killed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'killed-'))
    writeFileSync(path.join(folder, 'index.mjs'), pid)
    writeFileSync(
      path.join(folder, 'gateway.mts'),
      `import { createLocalFunctions } from ${JSON.stringify(path.join(import.meta.dirname, 'local.ts'))}
      const logger = new Proxy({}, { get: () => () => {} })
      const functions = createLocalFunctions({ functions: { f: { handlerFile: ${JSON.stringify(path.join(folder, 'index'))}, handlerName: 'handler' } }, logger })
      console.log(await functions.invoke('${arnOf('f')}', '{}', { accountId: '000000000001', timeoutMs: 10000 }))
      setInterval(() => {}, 1000)`,
    )
    const gateway = spawn(process.execPath, [path.join(folder, 'gateway.mts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = await new Promise<[Buffer]>((resolve) => gateway.stdout.once('data', (chunk) => resolve([chunk])))
    const id = Number(text.toString())
    assert.ok(isAlive(id))
    gateway.kill('SIGKILL')
    await untilGone(id)
    rmSync(folder, { recursive: true })
  })

  it('end when the gateway is killed while they are in a loop of their own, with what they have started', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'killed-'))
    writeFileSync(
      path.join(folder, 'index.mjs'),
      `import { spawn } from 'node:child_process'
      export const handler = async () => {
        const { pid } = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
        console.log([process.pid, pid].join())
        await new Promise((resolve) => setTimeout(resolve, 50))
        for (;;);
      }`,
    )
    writeFileSync(
      path.join(folder, 'gateway.mts'),
      `import { createLocalFunctions } from ${JSON.stringify(path.join(import.meta.dirname, 'local.ts'))}
      const logger = new Proxy({}, { get: () => (_, text) => console.log(text) })
      const functions = createLocalFunctions({ functions: { f: { handlerFile: ${JSON.stringify(path.join(folder, 'index'))}, handlerName: 'handler', timeoutMs: 600_000 } }, logger })
      await functions.invoke('${arnOf('f')}', '{}', { accountId: '000000000001', timeoutMs: 600_000 })`,
    )
    const gateway = spawn(process.execPath, [path.join(folder, 'gateway.mts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = await new Promise<[Buffer]>((resolve) => gateway.stdout.once('data', (chunk) => resolve([chunk])))
    const ids = text.toString().split(',').map(Number)
    try {
      // By now it spins.
      await wait(500)
      assert.deepEqual(ids.map(isAlive), [true, true])
      gateway.kill('SIGKILL')
      await Promise.race([Promise.all(ids.map(untilGone)), wait(15_000)])
      assert.deepEqual(ids.map(isAlive), [false, false])
    } finally {
      for (const id of ids) if (isAlive(id)) process.kill(id, 'SIGKILL')
      rmSync(folder, { recursive: true })
    }
  })

  it('end when the gateway leaves without waiting, also in a loop of their own', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'leaves-'))
    writeFileSync(
      path.join(folder, 'index.mjs'),
      'export const handler = async () => { console.log(process.pid); await new Promise((r) => setTimeout(r, 50)); for (;;); }',
    )
    writeFileSync(
      path.join(folder, 'gateway.mts'),
      `import { createLocalFunctions } from ${JSON.stringify(path.join(import.meta.dirname, 'local.ts'))}
      const logger = new Proxy({}, { get: () => (_, text) => { console.log(text); setTimeout(() => process.exit(0), 500) } })
      const functions = createLocalFunctions({ functions: { f: { handlerFile: ${JSON.stringify(path.join(folder, 'index'))}, handlerName: 'handler', timeoutMs: 60_000 } }, logger })
      await functions.invoke('${arnOf('f')}', '{}', { accountId: '000000000001', timeoutMs: 60_000 })`,
    )
    const gateway = spawn(process.execPath, [path.join(folder, 'gateway.mts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = await new Promise<[Buffer]>((resolve) => gateway.stdout.once('data', (chunk) => resolve([chunk])))
    const id = Number(text.toString())
    assert.ok(isAlive(id))
    await untilGone(id)
    rmSync(folder, { recursive: true })
  })

  it('are found by ARN or name, with the alias first, and by ARN in their own account only', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'aliases-'))
    const file = (name: string, text: string) => {
      writeFileSync(path.join(folder, name), `export const handler = async () => '${text}'`)
      return { handlerFile: path.join(folder, name), handlerName: 'handler' }
    }
    const functions = createLocalFunctions({
      logger: pino({ level: 'silent' }),
      functions: { f: file('a.mjs', 'plain'), 'f:live': file('b.mjs', 'live'), [arnOf('g')]: file('c.mjs', 'arn') },
    })
    const invoke = async (name: string) =>
      JSON.parse(await functions.invoke(arnOf(name), '{}', { accountId: '000000000001', timeoutMs: 10_000 }))
    assert.deepEqual(
      [await invoke('f'), await invoke('f:live'), await invoke('f:other'), await invoke('g'), await invoke('g:live')],
      ['plain', 'live', 'plain', 'arn', 'arn'],
    )
    // By its ARN a function belongs to that account; by its name to everybody.
    const by = (accountId: string, name: string) =>
      functions.invoke(arnOf(name), '{}', { accountId, timeoutMs: 10_000 })
    for (const name of ['g', 'g:live']) {
      await assert.rejects(by('999999999999', name), {
        reason: 'unreachable',
        message: `${arnOf(name)} belongs to the account 000000000001, and the API to 999999999999`,
      })
    }
    assert.equal(await by('999999999999', 'f'), '"plain"')
    await functions.close()
    rmSync(folder, { recursive: true })
  })

  it('are refused when they cannot be run, with the reason', () => {
    const create =
      (config: object, name = 'f') =>
      () =>
        createLocalFunctions({
          logger: pino({ level: 'silent' }),
          functions: { [name]: { handlerFile: import.meta.filename, handlerName: 'handler', ...config } },
        })
    assert.throws(create({}, 'a b'), /"a b" cannot be run: its name must be/)
    assert.throws(create({ handlerFile: '/nowhere/index' }), /there is no module \/nowhere\/index/)
    assert.throws(create({ directory: '/etc' }), /its module .* is not in its folder \/etc/)
    assert.throws(create({ handlerName: '' }), /the name of its handler is empty/)
    assert.throws(create({ memoryMb: 64 }), /memoryMb must be a whole number from 128/)
    assert.throws(create({ accountId: '000000000001', timeoutMs: 0 }), /timeoutMs must be/)
    assert.throws(create({ environment: { NODE_OPTIONS: '--inspect' } }), /NODE_OPTIONS is set by the runtime/)
    assert.throws(create({ environment: { AWS_LAMBDA_FUNCTION_NAME: 'x' } }), /AWS_LAMBDA_FUNCTION_NAME is set/)
  })

  it('have their memory read on systems without /proc as well', async () => {
    const [own, other] = [await residentMb(process.pid), await residentMb(process.pid, 'darwin')]
    assert.ok(own > 20 && other > 20 && Math.abs(own - other) < own / 2, `${own} MB and ${other} MB`)
    assert.equal(await residentMb(2 ** 22 + 1), 0)
  })
})
