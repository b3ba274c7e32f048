import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { createSecrets, hashHandle, sameSecret } from './secrets.ts'

const secrets = createSecrets(Buffer.alloc(32, 1))

test('what is sealed opens under the same context, and is different each time', () => {
  for (const plain of ['', 'a', 'ä € 𝄞', 'x'.repeat(100_000)]) {
    const [one, two] = [secrets.seal('env_1/client/a', plain), secrets.seal('env_1/client/a', plain)]
    assert.equal(secrets.open('env_1/client/a', one), plain)
    assert.equal(secrets.open('env_1/client/a', two), plain)
    assert.equal(one.equals(two), false)
    assert.equal(plain.length > 3 && one.includes(plain.slice(0, 4)), false)
  }
})

test('a sealed value does not open in another context, under another master key, or with any bit changed', () => {
  const sealed = secrets.seal('env_1/client/a', 'a secret')
  for (const context of ['env_2/client/a', 'env_1/client/', 'env_1/client/ab', '']) {
    assert.throws(() => secrets.open(context, sealed), /unable to authenticate data/)
  }
  assert.throws(() => createSecrets(Buffer.alloc(32, 2)).open('env_1/client/a', sealed), /unable to authenticate data/)
  for (let at = 1; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    assert.throws(() => secrets.open('env_1/client/a', changed), /unable to authenticate data/)
  }
  assert.throws(() => secrets.open('env_1/client/a', Buffer.concat([Buffer.of(2), sealed.subarray(1)])), /version 2/)
  for (const length of [0, 1, 13, 20, 28]) {
    assert.throws(() => secrets.open('env_1/client/a', sealed.subarray(0, length)))
  }
})

test('a shortened authentication tag is refused', () => {
  const sealed = secrets.seal('context', '')
  for (let length = 14; length < 29; length++) assert.throws(() => secrets.open('context', sealed.subarray(0, length)))
  assert.equal(secrets.open('context', sealed), '')
})

test('a derived key belongs to one purpose and one master key, and stays the same', () => {
  const key = secrets.deriveKey('login-csrf')
  assert.equal(key.length, 32)
  assert.equal(key.equals(createSecrets(Buffer.alloc(32, 1)).deriveKey('login-csrf')), true)
  assert.equal(key.equals(secrets.deriveKey('logout-csrf')), false)
  assert.equal(key.equals(createSecrets(Buffer.alloc(32, 2)).deriveKey('login-csrf')), false)
})

test('what is authenticated is an HMAC under the key of its purpose, and no other text or purpose has it', () => {
  const made = secrets.authenticate('login-csrf', 'state')
  const expected = createHmac('sha256', secrets.deriveKey('login-csrf')).update('state').digest()
  assert.deepEqual(made, expected)
  assert.deepEqual(secrets.authenticate('login-csrf', 'state'), expected)
  for (const [purpose, text] of [
    ['login-csrf', 'other'],
    ['logout-csrf', 'state'],
  ] as const) {
    assert.notDeepEqual(secrets.authenticate(purpose, text), expected)
  }
})

test('a master key has 32 bytes', () => {
  for (const length of [0, 16, 31, 33]) {
    assert.throws(() => createSecrets(Buffer.alloc(length)), /The master key has \d+ bytes; it must have 32\./)
  }
})

test('secrets are compared whole, whatever their lengths', () => {
  assert.equal(sameSecret('abc', 'abc'), true)
  for (const other of ['', 'ab', 'abcd', 'abC', 'abc\0']) assert.equal(sameSecret('abc', other), false)
  assert.equal(sameSecret('', ''), true)
  assert.equal(hashHandle('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
