import assert from 'node:assert/strict'
import { test } from 'node:test'
import { phoneNumber } from './phone-number.ts'

test('a number has one form, however it is written: a text goes to whom it is meant for, who is one person', () => {
  for (const written of [
    '+436601234567',
    ' +43 660 1234567 ',
    '+43-660-123.45.67',
    // The zero is dialled inside of the country alone (ITU-T E.123 §7).
    '+43 (0) 660 1234567',
    '+43 (0)660/1234567',
    '+43\u00a0660\u2011123\u20134567',
    '\u202a+43 660 1234567\u202c',
    '\uff0b\uff14\uff13 \uff16\uff16\uff10 1234567',
    '+\u0664\u0663 \u0666\u0666\u0660 \u0661\u0662\u0663\u0664\u0665\u0666\u0667',
    '+\u06f4\u06f3 \u06f6\u06f6\u06f0 1234567',
  ]) {
    assert.equal(phoneNumber(written), '+436601234567', written)
  }
  assert.equal(phoneNumber('+39 06 1234 5678'), '+390612345678', 'a zero that is part of the number stays')
})

test('what is no complete number is none', () => {
  for (const written of [
    '',
    '0660 1234567',
    '0043 660 1234567',
    '+0 660 1234567',
    '+43 660',
    '+43 660 1234567 ext. 5',
    '+43 660 12345678901234',
    '+43660123456x',
    `+43${' '.repeat(40)}6601234567`,
  ]) {
    assert.equal(phoneNumber(written), undefined, written)
  }
})
