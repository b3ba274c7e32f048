import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type CustomPasswordHash, HashRefused, importBcrypt, importCustom, isImported } from './imported-hash.ts'
import { md4 } from './md4.ts'
import { needsRehash, verifyPassword } from './password.ts'

/** Made of this password by Python's hashlib, bcrypt, argon2-cffi and passlib. */
const PASSWORD = 'Quiet-Hörse-7'
const vectors: { name: string; hash: CustomPasswordHash }[] = JSON.parse(
  readFileSync(new URL('./testdata/hashes.json', import.meta.url), 'utf8'),
)

test('hashes that other implementations made fit their password and no other, and are to be made anew', async (t) => {
  assert.ok(vectors.length > 30)
  for (const { name, hash } of vectors) {
    await t.test(name, async () => {
      const stored = importCustom(hash)
      assert.equal(isImported(stored), true)
      assert.equal(needsRehash(stored), true)
      assert.equal(await verifyPassword(stored, PASSWORD), true)
      for (const wrong of ['Quiet-Hörse-8', 'quiet-hörse-7', '', `${PASSWORD} `]) {
        assert.equal(await verifyPassword(stored, wrong), false, wrong)
      }
    })
  }
})

test('a bcrypt hash of Auth0 is kept as it is', async () => {
  const value = '$2b$10$nFguVi9LsCAcvTZFKQlRKeLVydo8ETv483lkNsSFI/Wl1Rz1Ypo1K'
  assert.equal(importBcrypt(value), value)
  assert.equal(isImported(value), true)
  assert.equal(await verifyPassword(value, 'hello'), true)
  assert.equal(await verifyPassword(value, 'hello!'), false)
})

test('the digests of RFC 1320 §A.5, and one longer than a block', () => {
  for (const [text, digest] of [
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      'e33b4ddc9c38f2199c3e7b164fcc0536',
    ],
  ] as const) {
    assert.equal(md4(Buffer.from(text)).toString('hex'), digest)
  }
})

const custom = (algorithm: string, value: string, rest: object = {}, hash: object = {}): CustomPasswordHash => ({
  algorithm,
  hash: { value, ...hash },
  ...rest,
})
const salt53 = 'nFguVi9LsCAcvTZFKQlRKeLVydo8ETv483lkNsSFI/Wl1Rz1Ypo1K'
const hex = (bytes: number) => ({ value: 'ab'.repeat(bytes), encoding: 'hex' })
const argon2 = (cost: string) => custom('argon2', `$argon2id$v=19$${cost}$c2FsdHNhbHRzYWx0$${'A'.repeat(43)}`)
const pbkdf2 = (i: number, l = 64) =>
  custom('pbkdf2', `$pbkdf2-sha512$i=${i},l=${l}$c2FsdA$${Buffer.alloc(l).toString('base64').replaceAll('=', '')}`)
const scrypt = (cost: object) => custom('scrypt', '', { keylen: 32, ...cost }, hex(32))

test('N137 a hash that would cost too much at sign-in is refused, and one at the limit is taken', () => {
  for (const [given, honest] of [
    [custom('bcrypt', `$2b$31$${salt53}`), custom('bcrypt', `$2b$14$${salt53}`)],
    [argon2('m=4194304,t=2,p=1'), argon2('m=65536,t=2,p=1')],
    [argon2('m=65536,t=11,p=1'), argon2('m=65536,t=10,p=1')],
    [argon2('m=65536,t=2,p=17'), argon2('m=65536,t=2,p=16')],
    [pbkdf2(2_000_001), pbkdf2(2_000_000)],
    [pbkdf2(1_000_001, 128), pbkdf2(1_000_000, 128)],
    [scrypt({ cost: 131_072 }), scrypt({ cost: 65_536 })],
    [scrypt({ blockSize: 64 }), scrypt({ blockSize: 32 })],
    [scrypt({ parallelization: 17 }), scrypt({ parallelization: 16 })],
    [scrypt({ cost: 2 ** 40 }), scrypt({ cost: 2 })],
  ] as const) {
    assert.throws(
      () => importCustom(given),
      (error) => error instanceof HashRefused && /costs too much|power/.test(error.message),
    )
    assert.match(importCustom(honest), /^tenantry-import\$\{/)
  }
  assert.throws(() => importBcrypt(`$2a$15$${salt53}`), HashRefused)
})

test('what is no hash, or would be read as another, is refused with the member that is wrong', () => {
  for (const [given, path] of [
    [custom('whirlpool', 'ab'), 'algorithm'],
    [custom('__proto__', 'ab'), 'algorithm'],
    [custom('md5', 'abc', {}, { encoding: 'hex' }), 'hash.value'],
    [custom('md5', 'zz'.repeat(16), {}, { encoding: 'hex' }), 'hash.value'],
    [custom('md5', 'ab'.repeat(16)), 'hash.encoding'],
    [custom('sha256', 'ab'.repeat(20), {}, { encoding: 'hex' }), 'hash.value'],
    [custom('sha256', '', { salt: { value: 'xyz', encoding: 'hex' } }, hex(32)), 'salt.value'],
    [custom('bcrypt', `$2x$10$${salt53}`), 'hash.value'],
    [custom('bcrypt', `$2b$10$${salt53}x`), 'hash.value'],
    [custom('bcrypt', `$2b$10$${salt53}`, {}, { encoding: 'hex' }), 'hash.encoding'],
    [custom('argon2', 'argon2id'), 'hash.value'],
    [custom('argon2', argon2('m=4,t=2,p=1').hash.value), 'hash.value'],
    [{ ...argon2('m=1024,t=2,p=1'), salt: { value: 'x' } }, 'salt'],
    [custom('pbkdf2', '$pbkdf2-md4$i=1,l=3$c2FsdA$AAAA'), 'hash.value'],
    [custom('pbkdf2', '$pbkdf2-sha512$i=1,l=64$c2FsdA$AAAA'), 'hash.value'],
    [custom('pbkdf2', '$pbkdf2-sha512$i=0,l=3$c2FsdA$AAAA'), 'hash.value'],
    [custom('ldap', '{CRYPT}abcdefgh'), 'hash.value'],
    [custom('ldap', '{SHA}AAAA'), 'hash.value'],
    [custom('hmac', '', {}, { ...hex(16), digest: 'md4', key: { value: 'x' } }), 'hash.digest'],
    [custom('hmac', '', {}, { ...hex(20), digest: 'sha1' }), 'hash.key'],
    [custom('scrypt', '', { keylen: 16 }, hex(32)), 'keylen'],
    [custom('scrypt', '', {}, hex(32)), 'keylen'],
    [scrypt({ cost: 3 }), 'cost'],
  ] as [CustomPasswordHash, string][]) {
    assert.throws(
      () => importCustom(given),
      (error) => error instanceof HashRefused && error.path === `custom_password_hash.${path}`,
      JSON.stringify(given),
    )
  }
  assert.throws(() => importBcrypt(`$2y$10$${salt53}`), HashRefused)
  assert.throws(() => importBcrypt('secret'), HashRefused)
})

test('a hash that is 50,000 characters of its own pattern is refused at once', () => {
  for (const text of [
    `$pbkdf2-sha512$i=1,l=1$${'A'.repeat(50_000)}`,
    `$argon2id$${'m=1,t=1,'.repeat(6000)}`,
    `{SHA}${'='.repeat(50_000)}`,
  ]) {
    for (const algorithm of ['pbkdf2', 'argon2', 'ldap'])
      assert.throws(() => importCustom(custom(algorithm, text)), HashRefused)
  }
})
