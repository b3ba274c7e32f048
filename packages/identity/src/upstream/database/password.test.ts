import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash } from '@node-rs/argon2'
import { hashPassword, needsRehash, verifyPassword } from './password.ts'

test('a password fits its own hash only, and each hash has its own salt', async () => {
  const [one, two] = await Promise.all([hashPassword('Quiet-Horse-Lamp-7'), hashPassword('Quiet-Horse-Lamp-7')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.notEqual(one, two)
  assert.equal(await verifyPassword(one, 'Quiet-Horse-Lamp-7'), true)
  assert.equal(await verifyPassword(one, 'Quiet-Horse-Lamp-8'), false)
  assert.equal(await verifyPassword(one, ''), false)
})

test('without a hash nothing fits, not even the password of the hash that the work is spent on', async () => {
  for (const plain of ['', 'x', 'Quiet-Horse-Lamp-7']) assert.equal(await verifyPassword(undefined, plain), false)
})

test('a hash of another cost or kind is to be made anew, one of today is not', async () => {
  assert.equal(needsRehash(await hashPassword('x')), false)
  assert.equal(needsRehash(await hash('x', { memoryCost: 8192, timeCost: 2, parallelism: 1 })), true)
  assert.equal(needsRehash('$2b$10$abcdefghijklmnopqrstuv'), true)
})
