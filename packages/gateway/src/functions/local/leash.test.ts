/** No process outlives the gateway, however that ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { arnOf, isAlive, pid, untilGone } from './fixture.ts'

describe('functions that are run here', () => {
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
      await Promise.race([Promise.all(ids.map(untilGone)), wait(120_000, undefined, { ref: false })])
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
      const logger = new Proxy({}, { get: () => (_, text) => { console.log(text); process.stdin.once('data', () => process.exit(0)) } })
      const functions = createLocalFunctions({ functions: { f: { handlerFile: ${JSON.stringify(path.join(folder, 'index'))}, handlerName: 'handler', timeoutMs: 60_000 } }, logger })
      await functions.invoke('${arnOf('f')}', '{}', { accountId: '000000000001', timeoutMs: 60_000 })`,
    )
    const gateway = spawn(process.execPath, [path.join(folder, 'gateway.mts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [text] = await new Promise<[Buffer]>((resolve) => gateway.stdout.once('data', (chunk) => resolve([chunk])))
    const id = Number(text.toString())
    assert.ok(isAlive(id))
    // By then it spins.
    await wait(500)
    gateway.stdin.end('leave')
    await untilGone(id)
    rmSync(folder, { recursive: true })
  })
})
