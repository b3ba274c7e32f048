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
  const names = (options: PasswordOptions) =>
    passwordRules(options).map(({ name, length }) => name.replace('password-policy-', '') + (length ?? ''))
  assert.deepEqual(names({ passwordPolicy: 'none' }), [])
  assert.deepEqual(names({ passwordPolicy: 'low' }), ['length-at-least6'])
  assert.deepEqual(names({ passwordPolicy: 'fair' }), ['length-at-least8', 'letters-and-digits'])
  assert.deepEqual(names({ passwordPolicy: 'good' }), ['length-at-least8', 'contains-at-least'])
  assert.deepEqual(names({ passwordPolicy: 'excellent', password_no_personal_info: { enable: true } }), [
    'length-at-least10',
    'contains-at-least',
    'identical-chars',
    'user-information',
  ])
  assert.deepEqual(names({ passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }), [
    'length-in-words12',
  ])
})

test('a minimum of the options wins over that of the level, and is said in a sentence', () => {
  const options: PasswordOptions = { passwordPolicy: 'low', password_complexity_options: { min_length: 12 } }
  assert.deepEqual(checkPassword(options, 'elevenchars'), {
    name: 'password-too-short-for-words',
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

test('what password_options say stands for its older counterpart, part by part', () => {
  const options: PasswordOptions = {
    passwordPolicy: 'excellent',
    password_no_personal_info: { enable: true },
    password_options: {
      complexity: {
        min_length: 4,
        character_types: ['uppercase', 'number'],
        identical_characters: 'block',
        sequential_characters: 'block',
      },
      profile_data: { active: true, blocked_fields: ['username'] },
    },
  }
  assert.equal(refused(options, 'A9x'), 'too_short')
  assert.equal(refused(options, 'a9xx'), 'too_simple')
  assert.equal(refused(options, 'A9xxx'), 'repeated_characters')
  for (const run of ['A9xabc', 'A9xCBA', 'Ax987']) assert.equal(refused(options, run), 'sequential_characters', run)
  assert.equal(refused(options, 'A9-eve-x', { username: 'eve', email: 'nina@example.test' }), 'personal_information')
  assert.equal(refused(options, 'A9-nina', { username: 'eve', email: 'nina@example.test' }), undefined)
  assert.deepEqual(
    passwordRules(options).map(({ name }) => name.replace('password-policy-', '')),
    ['length-at-least', 'uppercase', 'number', 'identical-chars', 'sequential-chars', 'user-information'],
  )
  const loose: PasswordOptions = {
    password_options: { complexity: { character_types: ['lowercase', 'uppercase', 'number', 'special'] } },
  }
  assert.equal(refused(loose, 'Ab1'), 'too_simple')
  assert.equal(refused(loose, 'Ab1!'), undefined)
  loose.password_options!.complexity!.character_type_rule = 'three_of_four'
  assert.equal(refused(loose, 'Ab1'), undefined)
})

test('common passwords and a connection’s own words are refused whole, in any spelling of case', () => {
  const older: PasswordOptions = {
    passwordPolicy: 'none',
    password_dictionary: { enable: true, dictionary: ['Acme1'] },
  }
  const newer: PasswordOptions = {
    passwordPolicy: 'none',
    password_options: { dictionary: { active: true, custom: ['Acme1'] } },
  }
  for (const options of [older, newer]) {
    for (const word of ['password', 'PassWord', 'acme1']) assert.equal(refused(options, word), 'dictionary')
    assert.equal(refused(options, 'acme1 and more'), undefined)
  }
  assert.equal(refused({ passwordPolicy: 'none', password_dictionary: { enable: false } }, 'password'), undefined)
})
