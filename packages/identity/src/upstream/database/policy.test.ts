import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPassword, type PasswordOptions, passwordRules, type Violation } from './policy.ts'

const refused = (options: PasswordOptions, plain: string, person = {}): Violation['code'] | undefined =>
  checkPassword(options, plain, person)?.code

test('each level refuses what the level below it accepts', () => {
  assert.equal(refused({ passwordPolicy: 'none' }, ''), 'too_short')
  assert.equal(refused({ passwordPolicy: 'none' }, 'a'), undefined)
  assert.equal(refused({ passwordPolicy: 'low' }, 'abcde'), 'too_short')
  assert.equal(refused({ passwordPolicy: 'low' }, 'abcdef'), undefined)
  assert.equal(refused({ passwordPolicy: 'fair' }, 'abcdefgh'), 'too_simple')
  assert.equal(refused({ passwordPolicy: 'fair' }, 'Abcdefg1'), undefined)
  assert.equal(refused({ passwordPolicy: 'good' }, 'abcdefg1'), 'too_simple')
  assert.equal(refused({ passwordPolicy: 'good' }, 'abcdef1!'), undefined)
  assert.equal(refused({ passwordPolicy: 'excellent' }, 'abcdef1!'), 'too_short')
  assert.equal(refused({ passwordPolicy: 'excellent' }, 'abcdefff1!'), 'repeated_characters')
  assert.equal(refused({ passwordPolicy: 'excellent' }, 'abcdeff11!'), undefined)
})

test('without a level passwords must be good', () => {
  assert.equal(refused({}, 'abcdefgh'), 'too_simple')
  assert.deepEqual(passwordRules({}), passwordRules({ passwordPolicy: 'good' }))
})

test('every rule is said before a password is chosen', () => {
  const texts = (options: PasswordOptions) => passwordRules(options).map(({ text }) => text)
  const kinds = 'Three of: lower-case letters, upper-case letters, digits, symbols'
  assert.deepEqual(texts({ passwordPolicy: 'none' }), [])
  assert.deepEqual(texts({ passwordPolicy: 'low' }), ['At least 6 characters'])
  assert.deepEqual(texts({ passwordPolicy: 'fair' }), [
    'At least 8 characters',
    'Lower-case letters, upper-case letters and digits',
  ])
  assert.deepEqual(texts({ passwordPolicy: 'good' }), ['At least 8 characters', kinds])
  assert.deepEqual(texts({ passwordPolicy: 'excellent', password_no_personal_info: { enable: true } }), [
    'At least 10 characters',
    kinds,
    'No more than two identical characters in a row',
    'Without your name and email address',
  ])
  assert.deepEqual(passwordRules({ passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }), [
    { text: 'At least 12 characters; three random words work well', length: 12 },
  ])
})

test('a minimum of the options wins over that of the level, and is said in a sentence', () => {
  const options: PasswordOptions = { passwordPolicy: 'low', password_complexity_options: { min_length: 12 } }
  assert.deepEqual(checkPassword(options, 'elevenchars'), {
    code: 'too_short',
    text: 'Use at least 12 characters. Three random words work well.',
  })
  assert.equal(checkPassword(options, 'twelve chars'), undefined)
})

test('length is counted in characters, and has an end in characters and in bytes', () => {
  const options: PasswordOptions = { passwordPolicy: 'low' }
  assert.equal(refused(options, '🐎🐎🐎🐎🐎'), 'too_short')
  assert.equal(refused(options, '🐎'.repeat(256)), undefined)
  assert.equal(refused(options, 'a'.repeat(256)), undefined)
  assert.equal(refused(options, 'a'.repeat(257)), 'too_long')
  assert.equal(refused(options, '👩‍🚀'.repeat(100)), 'too_long')
})

test('a NUL is refused: what comes after it would not count everywhere', () => {
  assert.equal(refused({ passwordPolicy: 'none' }, 'secret\0more'), 'forbidden_character')
})

test('names and the address are refused inside a password only when the connection says so', () => {
  const person = { email: 'anna.reed@example.test', name: 'Anna Reed', given_name: 'Al' }
  const strict: PasswordOptions = { passwordPolicy: 'none', password_no_personal_info: { enable: true } }
  assert.equal(refused(strict, 'xANNAx', person), 'personal_information')
  assert.equal(refused(strict, 'my-reed-7', person), 'personal_information')
  assert.equal(refused(strict, 'alphabet', person), undefined)
  assert.equal(refused({ passwordPolicy: 'none' }, 'xANNAx', person), undefined)
})
