import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReservedClaim } from './claims.ts'
import { parseCommands } from './commands.ts'
import { applyPostLogin } from './post-login.ts'

const parse = (text: string) => parseCommands('post-login', text, { outputBytes: 65536 })
const detailOf = (text: string) => {
  const parsed = parse(text)
  assert.equal(parsed.ok, false, text.slice(0, 80))
  return parsed.ok ? '' : parsed.detail
}

test('N190 a list that is not what the schema says is refused before anything is applied', () => {
  assert.equal(detailOf('['), 'the commands are not JSON')
  assert.equal(detailOf('{}'), 'the commands are not a list')
  assert.equal(detailOf('[NaN]'), 'the commands are not JSON')
  assert.equal(detailOf(`"${'x'.repeat(65536)}"`), 'the commands take 65538 bytes, more than 65536')
  assert.equal(detailOf(`${'['.repeat(30000)}${']'.repeat(30000)}`), 'a value is nested deeper than 20 levels')
  for (const command of [
    null,
    'x',
    {},
    { type: 'cache.set', key: 'a', value: 'b' },
    { type: 'access.deny', reason: 1 },
    { type: 'access.deny', reason: 'a', code: 'b' },
    { type: 'idToken.setCustomClaim' },
    { type: 'idToken.setCustomClaim', key: '' },
    { type: 'idToken.setCustomClaim', key: 'a', value: 1, organization: 'org_other' },
    { type: 'user.setAppMetadata', key: 'a', value: 1, user_id: 'auth0|other' },
    { type: 'accessToken.addScope', scope: 'a b' },
    { type: 'accessToken.addScope' },
  ]) {
    assert.match(detailOf(JSON.stringify([command])), /^a command does not fit the trigger post-login/)
  }
  assert.match(detailOf('[{"type":"user.setAppMetadata","key":"__proto__","value":1}]'), /__proto__/)
  assert.match(detailOf('[{"type":"user.setAppMetadata","key":"a","value":{"b":[{"__proto__":1}]}}]'), /__proto__/)
})

test('N189 reserved names are found in every spelling that a reader could take for them', () => {
  for (const name of [
    'sub',
    'scope',
    'x5t#S256',
    'https://aws.amazon.com/tags',
    'https://AWS.amazon.com/tags',
    'HTTPS://aws.amazon.com:443/tags',
    'https://auth0.com/x',
    'http://a.b.webtask.io',
    'https://EU.Auth0.com/',
    'urn:auth0:x',
  ]) {
    assert.equal(isReservedClaim(name), true, name)
  }
  for (const name of [
    'https://tenantId',
    'https://example.com/sub',
    'email',
    'subject',
    'https://notauth0.com',
    'urn:example:a',
    'https://aws.amazon.com/tags2',
  ]) {
    assert.equal(isReservedClaim(name), false, name)
  }
})

test('the effect of a list: the last command wins, null removes, and metadata names what changes alone', () => {
  const parsed = parse(
    JSON.stringify([
      { type: 'idToken.setCustomClaim', key: 'x', value: 1 },
      { type: 'idToken.setCustomClaim', key: 'x', value: 2 },
      { type: 'idToken.setCustomClaim', key: 'constructor', value: 3 },
      { type: 'accessToken.setCustomClaim', key: 'gone', value: null },
      { type: 'accessToken.setCustomClaim', key: 'undefined' },
      { type: 'accessToken.addScope', scope: 'a' },
      { type: 'accessToken.addScope', scope: 'b' },
      { type: 'accessToken.removeScope', scope: 'a' },
      { type: 'user.setUserMetadata', key: 'drop', value: null },
      { type: 'user.setUserMetadata', key: 'new', value: { deep: true } },
    ]),
  )
  assert.ok(parsed.ok)
  assert.deepEqual(applyPostLogin(parsed.commands), {
    idTokenClaims: { x: 2, constructor: 3 },
    accessTokenClaims: {},
    scopes: { add: ['b'], remove: ['a'] },
    factors: [],
    methods: [],
    userMetadata: { drop: null, new: { deep: true } },
  })
})

test('a denial cancels claims and scopes and keeps metadata', () => {
  const parsed = parse(
    JSON.stringify([
      { type: 'idToken.setCustomClaim', key: 'x', value: 1 },
      { type: 'accessToken.addScope', scope: 'a' },
      { type: 'user.setAppMetadata', key: 'tries', value: 3 },
      { type: 'access.deny', reason: 'first' },
      { type: 'access.deny', reason: 'second' },
    ]),
  )
  assert.ok(parsed.ok)
  assert.deepEqual(applyPostLogin(parsed.commands), {
    denied: 'first',
    idTokenClaims: {},
    accessTokenClaims: {},
    scopes: { add: [], remove: [] },
    factors: [],
    methods: [],
    appMetadata: { tries: 3 },
  })
})
