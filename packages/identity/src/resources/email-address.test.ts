import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparableEmail, isEmailAddress } from './email-address.ts'

test('plain addresses are accepted, also with a sub-address, an apostrophe or an internationalised domain', () => {
  for (const address of [
    'anna@example.test',
    'Anna.Reed+items@Mail.example.test',
    "o'hara@example.test",
    'a@b.co',
    'info@xn--mnchen-3ya.de',
    `${'a'.repeat(64)}@example.test`,
  ]) {
    assert.equal(isEmailAddress(address), true, address)
  }
})

test('whatever another reader could take for a second or a different address is refused', () => {
  for (const address of [
    '',
    'a@b@c.test',
    'a@c.test,b@c.test',
    'a@c.test;b@c.test',
    'A <a@c.test>',
    '"a b"@c.test',
    'a(x)@c.test',
    'a@c.test\r\nBcc: b@c.test',
    'a@c.test\n',
    'a@c.test ',
    '=?x?q?=41=42collab=40psres.net=3e=00?=foo@c.test',
    'a!b%c@d',
    'a@xn--0049.com',
    'a@xn--svg-nea.com',
    'a@xn--.com',
    'a@-c.test',
    'a@c-.test',
    'a@c..test',
    'a@c.test.',
    'a@1.2.3.4',
    `a@${'b.'.repeat(130)}test`,
    'ä@c.test',
    'a@ä.test',
    'a\0@c.test',
  ]) {
    assert.equal(isEmailAddress(address), false, address)
  }
})

test('addresses are compared without case', () => {
  assert.equal(comparableEmail('Anna@Example.TEST'), comparableEmail('anna@example.test'))
})
