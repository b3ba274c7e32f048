import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { NameRefused } from './encoding.ts'
import { createFileArea, type FileArea } from './files.ts'

const as = <T>(tenantId: string, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), work)

let directory: string
let root: string
let files: FileArea
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'tenantry-files-'))
  root = join(directory, 'area')
  files = createFileArea({ root })
  writeFileSync(join(directory, 'secret.txt'), 'outside')
})
after(() => rmSync(directory, { recursive: true, force: true }))

const read = async (tenantId: string, path: string) => (await as(tenantId, () => files.read(path)))?.toString()

test('what a tenant writes it reads, lists and removes; another tenant sees nothing of it', async () => {
  await as('t1', async () => {
    await files.write('invoices/2026/Mai – 1.pdf', 'first')
    await files.write('invoices/2026/Mai – 1.pdf', 'second')
    await files.write('invoices/con.txt', Buffer.from([0, 255]))
    assert.equal((await files.read('invoices/2026/Mai – 1.pdf'))?.toString(), 'second')
    assert.deepEqual(await files.list(), ['invoices/'])
    assert.deepEqual(await files.list('invoices'), ['2026/', 'con.txt'])
    assert.equal(await files.read('invoices/missing.pdf'), undefined)
    assert.equal(await files.read('missing/missing.pdf'), undefined)
    assert.deepEqual(await files.list('missing'), [])
  })
  for (const other of ['t1-2', 'T1', 't', 't1.']) {
    assert.equal(await read(other, 'invoices/con.txt'), undefined)
    assert.deepEqual(await as(other, () => files.list()), [])
    assert.equal(await as(other, () => files.remove('invoices/con.txt')), false)
    await as(other, () => files.clear())
  }
  assert.equal(await as('t1', () => files.remove('invoices/con.txt')), true)
  assert.equal(await as('t1', () => files.remove('invoices/con.txt')), false)
  await assert.rejects(files.read('invoices/con.txt'), { name: 'IdentityMissing' })
  await as('t1', () => files.clear())
  assert.deepEqual(await as('t1', () => files.list()), [])
})

test('N240 paths that lead out of the tenant’s folder are refused, and write nothing anywhere', async () => {
  const paths = [
    '..',
    '../t2/x',
    'a/../../t2/x',
    '/etc/passwd',
    'a//b',
    'a/',
    '',
    '.',
    './x',
    'a\0b',
    'a/..\0/x',
    'a\nb',
    '\x7f',
  ]
  for (const path of paths) {
    for (const call of [() => files.read(path), () => files.write(path, 'x'), () => files.remove(path)]) {
      await assert.rejects(as<Promise<unknown>>('t2', call), NameRefused, JSON.stringify(path))
    }
    if (path !== '')
      await assert.rejects(
        as('t2', () => files.list(path)),
        NameRefused,
        JSON.stringify(path),
      )
  }
  assert.ok(!existsSync(join(root, 't2')))
  // These mean something elsewhere: backslashes and drives on Windows, full-width dots, encoded dots, streams, devices.
  const harmless = [
    '..\\..\\t3',
    'C:\\x',
    '．．',
    '%2e%2e',
    'x:stream',
    'nul',
    'aux.txt',
    'x.',
    ' x ',
    '\u202etxt.exe',
    '~',
    '-rf',
  ]
  for (const path of harmless) {
    await as('t2', () => files.write(path, path))
    assert.equal(await read('t2', path), path)
  }
  assert.deepEqual(await as('t2', () => files.list()), [...harmless].sort())
  assert.deepEqual(readdirSync(root), ['t2'])
})

test('names that differ by case or composition only are different files', async () => {
  const names = ['a', 'A', 'é', 'e\u0301', 'ﬁ', 'fi', 'K', '\u212a']
  for (const name of names) await as('t4', () => files.write(name, name))
  for (const name of names) assert.equal(await read('t4', name), name)
})

test('symbolic links are not followed: not of a file, a folder, or the tenant’s own folder; and replaced when written', async () => {
  await as('t5', () => files.write('folder/own.txt', 'own'))
  const own = join(root, 't5')
  symlinkSync(join(directory, 'secret.txt'), join(own, 'link'))
  symlinkSync(directory, join(own, 'outside'))
  symlinkSync(own, join(root, 't6'))
  for (const path of ['link', 'outside/secret.txt'])
    await assert.rejects(
      as('t5', () => files.read(path)),
      NameRefused,
      path,
    )
  await assert.rejects(
    as('t5', () => files.write('outside/planted.txt', 'x')),
    NameRefused,
  )
  await assert.rejects(
    as('t5', () => files.remove('outside/secret.txt')),
    NameRefused,
  )
  await assert.rejects(
    as('t5', () => files.list('outside')),
    NameRefused,
  )
  await assert.rejects(read('t6', 'folder/own.txt'), NameRefused)
  assert.deepEqual(await as('t5', () => files.list()), ['folder/'])
  await as('t5', () => files.write('link', 'mine'))
  assert.equal(await read('t5', 'link'), 'mine')
  assert.equal(readFileSync(join(directory, 'secret.txt'), 'utf8'), 'outside')
  await as('t6', () => files.clear())
  assert.equal(await read('t5', 'folder/own.txt'), 'own')
  assert.ok(!existsSync(join(directory, 'planted.txt')))
})

test('a folder that is swapped for a link between check and use leads nowhere else', {
  skip: process.platform !== 'linux' && 'needs Linux',
}, async () => {
  await as('t7', () => files.write('a/b.txt', 'inside'))
  const [folder, aside] = [join(root, 't7', 'a'), join(root, 't7', 'aside')]
  const outside = join(directory, 'swapped')
  mkdirSync(outside)
  writeFileSync(join(outside, 'b.txt'), 'outside')
  let isDone = false
  const swapping = (async () => {
    while (!isDone) {
      await rename(folder, aside)
      try {
        symlinkSync(outside, folder)
      } catch {
        // A write has made the folder anew.
      }
      await new Promise((resolve) => setImmediate(resolve))
      rmSync(folder, { recursive: true, force: true })
      await rename(aside, folder).catch(() => {
        rmSync(folder, { recursive: true })
        return rename(aside, folder)
      })
    }
  })()
  const seen = new Set<string | undefined>()
  for (let n = 0; n < 400; n++) {
    seen.add(
      await read('t7', 'a/b.txt').catch((error: Error) => (error instanceof NameRefused ? 'refused' : String(error))),
    )
    await as('t7', () => files.write('a/c.txt', 'inside')).catch(() => {})
  }
  isDone = true
  await swapping
  assert.ok(seen.has('inside') && !seen.has('outside'), [...seen].join())
  assert.deepEqual(readdirSync(outside), ['b.txt'])
})

test('a pipe or a folder is no file, and does not make the reader wait', {
  skip: process.platform === 'win32' && 'no pipes',
}, async () => {
  await as('t8', () => files.write('folder/x', 'x'))
  execFileSync('mkfifo', [join(root, 't8', 'pipe')])
  for (const path of ['pipe', 'folder'])
    await assert.rejects(
      as('t8', () => files.read(path)),
      NameRefused,
      path,
    )
  await assert.rejects(
    as('t8', () => files.write('folder', 'x')),
    NameRefused,
  )
  await assert.rejects(
    as('t8', () => files.remove('folder')),
    NameRefused,
  )
  assert.deepEqual(readdirSync(join(root, 't8')).sort(), ['folder', 'pipe'])
})
