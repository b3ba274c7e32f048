import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openBreachedPasswords } from './breached.ts'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'breached-'))
})
after(() => rm(directory, { recursive: true }))

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase()

test('a sorted list is searched from its first line to its last, and knows nothing else', async () => {
  const known = Array.from({ length: 3000 }, (_, n) => `leaked ${n}`)
  const lines = known.map((plain, n) => `${sha1(plain)}:${n + 1}`).sort()
  for (const end of ['\n', '\r\n']) {
    const path = join(directory, `list${end.length}.txt`)
    await writeFile(path, lines.join(end) + end)
    const breached = await openBreachedPasswords(path)
    const byHash = known.toSorted((a, b) => (sha1(a) < sha1(b) ? -1 : 1))
    for (const plain of [...byHash.slice(0, 3), ...byHash.slice(-3), ...known.filter((_, n) => n % 97 === 0)]) {
      assert.equal(await breached.holds(plain), true, plain)
    }
    for (let n = 0; n < 50; n++) assert.equal(await breached.holds(`unknown ${n}`), false)
  }
})

test('a directory of range files is read by prefix; lines of padding stand for nothing', async () => {
  const ranges = await mkdtemp(join(directory, 'ranges-'))
  const [known, padded] = [sha1('leaked'), sha1('padding')]
  await writeFile(join(ranges, `${known.slice(0, 5)}.txt`), `${'0'.repeat(35)}:3\r\n${known.slice(5)}:12\r\n`)
  await writeFile(join(ranges, padded.slice(0, 5)), `${padded.slice(5)}:0\r\n`)
  const breached = await openBreachedPasswords(ranges)
  assert.deepEqual(await Promise.all(['leaked', 'padding', 'other'].map((plain) => breached.holds(plain))), [
    true,
    false,
    false,
  ])
})

test('what is neither is refused when it is opened', async () => {
  const words = join(directory, 'words.txt')
  await writeFile(words, 'password\n123456\n')
  await assert.rejects(openBreachedPasswords(words), /SHA-1/)
  await assert.rejects(openBreachedPasswords(await mkdtemp(join(directory, 'empty-'))), /range/)
  await assert.rejects(openBreachedPasswords(join(directory, 'missing')))
})
