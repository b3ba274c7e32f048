import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { fileName, fileNameText, keyPart, keyPartText, NameRefused } from './encoding.ts'
import { objectKeys } from './object-keys.ts'
import { queueName } from './queues.ts'

const as = <T>(tenantId: string, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), work)

// What separators, encodings, file systems and shells are confused by, and letters to mix them with.
const ALPHABET = [
  ...'ab/:\\%~^._-*?[]{}$&=+ A\'"\0\n\x7f',
  ...['..', '../', '%2F', '%252F', '~', '^a', '_2d', '_-', 'con', 'CON', 'nul.', 'com1', 'K', '\u212a', 'ı', 'ß', 'ſ'],
  ...['é', 'e\u0301', '．', '／', '\u202e', '\u200b', '😀', 'Ａ', 'ﬁ', '1', '2'],
]
const randomText = () => Array.from({ length: randomInt(0, 6) }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
const lists = Array.from({ length: 20_000 }, () => Array.from({ length: randomInt(1, 4) }, randomText))

/** Fails when two different inputs become one name. */
function assertInjective<T>(inputs: readonly T[], nameOf: (input: T) => string): void {
  const origin = new Map<string, string>()
  for (const input of inputs) {
    const [name, from] = [nameOf(input), JSON.stringify(input)]
    const known = origin.get(name)
    assert.ok(known === undefined || known === from, `${known} and ${from} both become ${name}`)
    origin.set(name, from)
  }
}

test('N234 different parts of a key never become the same key, and every part can be read back', () => {
  const keys = objectKeys()
  as('t1', () => {
    assertInjective(lists, (parts) => keys.of(...(parts as [string])))
    for (const parts of lists) assert.deepEqual(keys.parts(keys.of(...(parts as [string]))), parts)
  })
  for (const part of lists.flat()) {
    assert.match(keyPart(part), /^[A-Za-z0-9._~%-]+$/)
    assert.doesNotMatch(keyPart(part), /^\.{1,2}$/)
    assert.equal(keyPartText(keyPart(part)), part)
  }
})

test('the names of files differ even where a file system ignores case or normalizes, and can be read back', () => {
  const texts = [...new Set(lists.flat())].filter((text) => text !== '')
  assertInjective(texts, (text) => fileName(text).toLowerCase().normalize('NFKC'))
  for (const text of texts) {
    const name = fileName(text)
    assert.equal(fileNameText(name), text)
    assert.match(name, /^[a-z0-9._%^-]{1,255}$/)
    assert.doesNotMatch(name, /^\.|\.$|^(con|prn|aux|nul|com\d|lpt\d)($|\.)/i)
  }
  assert.throws(() => fileName('x'.repeat(256)), NameRefused)
  assert.equal(fileNameText('Con'), undefined)
  assert.equal(fileNameText('.draft'), undefined)
})

test('half a surrogate pair is refused, because all of them would become one name', () => {
  for (const text of ['\ud83d', 'a\udc00']) {
    assert.throws(() => keyPart(text), NameRefused)
    assert.throws(() => fileName(text), NameRefused)
  }
})

test('no tenant’s names begin with another’s, look-alikes included', () => {
  const keys = objectKeys()
  const tenants = ['t1', 't1-2', 't1/', 't', 'T1', 't1%2F', 't1_', 't1_-', '~', '..']
  const prefixes = tenants.map((tenantId) => as(tenantId, () => keys.prefix()))
  const queues = tenants.map((tenantId) => as(tenantId, () => queueName('orders')))
  tenants.forEach((tenantId, one) => {
    prefixes.forEach((prefix, other) => {
      if (one === other) return
      assert.ok(!prefixes[one]!.startsWith(prefix), `${prefixes[one]} begins with ${prefix}`)
      assert.notEqual(queues[one], queues[other])
      assert.throws(() => as(tenantId, () => keys.parts(`${prefix}a`)), NameRefused)
    })
  })
  // Queue and tenant do not run into each other.
  assert.notEqual(
    as('b', () => queueName('a-')),
    as('-b', () => queueName('a')),
  )
  assert.notEqual(
    as('b', () => queueName('a_-')),
    as('_-b', () => queueName('a')),
  )
  for (const name of queues) assert.match(name, /^[A-Za-z0-9_-]{1,80}$/)
})

test('N240 an object’s key stays below the tenant’s prefix, whatever a part says', () => {
  const keys = objectKeys({ prefix: 'shop/v1' })
  const [own, theirs] = [as('t1', () => keys.prefix()), as('t1-2', () => keys.of('a'))]
  assert.equal(own, 'shop/v1/t1/')
  assert.equal(
    as('t1', () => keys.prefix('invoices')),
    'shop/v1/t1/invoices/',
  )
  for (const part of ['../t1-2/a', '..', '/etc/passwd', '..\\..\\t1-2', '%2e%2e/', '']) {
    const key = as('t1', () => keys.of(part))
    assert.ok(key.startsWith(own) && !key.slice(own.length).includes('/'), key)
    // A client that resolves the key as a URL's path arrives at the same place.
    assert.equal(new URL(`https://bucket.example/${key}`).pathname, `/${key}`)
  }
  for (const key of [theirs, `${own}../t1-2/a`, own.slice(0, -1), `${own}%2f`, `${own}%zz`, `${own}a//b`, '']) {
    assert.throws(() => as('t1', () => keys.parts(key)), NameRefused, key)
  }
  assert.throws(() => as('t1', () => keys.of('x'.repeat(1_024))), NameRefused)
  assert.throws(() => keys.of('a'), { name: 'IdentityMissing' })
  assert.throws(() => keys.prefix(), { name: 'IdentityMissing' })
})
