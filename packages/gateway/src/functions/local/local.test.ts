/** What the runner is given and asked: names, settings, watched folders, the end. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { FunctionFailed } from '../functions.ts'
import { arnOf, isAlive, pid, slow, startLocalBench } from './fixture.ts'
import { createLocalFunctions } from './local.ts'

describe('functions that are run here', () => {
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
})
