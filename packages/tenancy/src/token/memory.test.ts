import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type RefusalCode, TokenRefused } from '../refusal.ts'
import { createMemory } from './memory.ts'
import { AUDIENCE, startIssuer } from './test-issuer.ts'
import { createVerifier } from './verifier.ts'

let issuer: Awaited<ReturnType<typeof startIssuer>>
let offsetSeconds = 0
const now = () => new Date(Date.now() + offsetSeconds * 1000)
const seconds = () => Math.floor(Date.now() / 1000)
const verifierOf = (more: object = {}) => createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, now, ...more })
const refused = (code: RefusalCode) => (error: unknown) => error instanceof TokenRefused && error.code === code

before(async () => {
  issuer = await startIssuer()
})
beforeEach(() => {
  offsetSeconds = 0
  issuer.state.down = false
})
after(() => issuer.close())

test('N209 a token is verified once while it is remembered, and what is handed out cannot be changed', async () => {
  const verifier = verifierOf()
  const token = await issuer.token({ permissions: ['read:item'] })
  const first = await verifier.verify(token)
  assert.equal(await verifier.verify(token), first)
  assert.throws(() => (first.claims.permissions as string[]).push('delete:item'), TypeError)
  offsetSeconds = 61
  const again = await verifier.verify(token)
  assert.notEqual(again, first)
  assert.deepEqual(again.claims, first.claims)
  verifier.forget((known) => known.subject === 'auth0|maria')
  assert.notEqual(await verifier.verify(token), again)
  const none = verifierOf({ rememberTokens: 0 })
  assert.notEqual(await none.verify(token), await none.verify(token))
})

test('N209 a remembered token ends with its expiry and its age, not a moment later', async () => {
  const token = await issuer.token({ exp: seconds() + 40 })
  const verifier = verifierOf({ rememberSeconds: 10_000 })
  await verifier.verify(token)
  offsetSeconds = 20
  await verifier.verify(token)
  offsetSeconds = 41
  await assert.rejects(verifier.verify(token), refused('token_expired'))
  offsetSeconds = 0
  const strict = verifierOf({ maxTokenAgeSeconds: 60 })
  const old = await issuer.token({ iat: seconds() - 20 })
  await strict.verify(old)
  offsetSeconds = 42
  await assert.rejects(strict.verify(old), refused('token_too_old'))
})

test('N209 another spelling, another signature and another verifier do not find what is remembered', async () => {
  const verifier = verifierOf()
  const token = await issuer.token()
  await verifier.verify(token)
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const twin = token.slice(0, -1) + last[last.indexOf(token.at(-1)!) ^ 1]
  await assert.rejects(verifier.verify(twin), refused('token_malformed'))
  await assert.rejects(verifier.verify(`${token.slice(0, -8)}AAAAAAAA`), (error) => error instanceof TokenRefused)
  await assert.rejects(verifierOf({ audience: 'https://other.example' }).verify(token), refused('audience_refused'))
  const [one, other] = [createMemory('rules of one', 10), createMemory('rules of another', 10)]
  assert.notEqual(one.keyOf(token), other.keyOf(token))
})

test('N209 when the issuer withdraws a key, tokens remembered under it are refused at once', async () => {
  const verifier = verifierOf({ rememberSeconds: 10_000 })
  const token = await issuer.token({ exp: seconds() + 90_000 })
  await verifier.verify(token)
  await issuer.rotate({ dropOld: true })
  offsetSeconds = 601
  // The first use after ten minutes has the keys renewed behind it.
  await verifier.verify(token)
  const isServed = () =>
    verifier.verify(token).then(
      () => true,
      () => false,
    )
  for (let n = 0; n < 3_000 && (await isServed()); n++) await new Promise((go) => setTimeout(go, 20))
  await assert.rejects(verifier.verify(token), refused('key_unknown'))
})

test('N209 while the keys are too old to serve, a remembered token serves nobody either', async () => {
  const verifier = verifierOf({ rememberSeconds: 10_000 })
  const token = await issuer.token({ exp: seconds() + 90_000 })
  await verifier.verify(token)
  issuer.state.down = true
  offsetSeconds = 3_500
  await verifier.verify(token)
  offsetSeconds = 3_601
  await assert.rejects(verifier.verify(token), refused('keys_unavailable'))
})

test('N209 a flood of tokens takes bounded room, and pushes out what was not used longest', () => {
  const memory = createMemory<number>('rules', 100)
  for (let n = 0; n < 100; n++) memory.set(`key-${n}`, n, 1_000)
  assert.equal(memory.get('key-0', 0), 0)
  for (let n = 100; n < 199; n++) memory.set(`key-${n}`, n, 1_000)
  assert.equal(memory.get('key-0', 0), 0)
  assert.equal(memory.get('key-1', 0), undefined)
  assert.equal(memory.get('key-198', 0), 198)
  assert.equal(memory.get('key-198', 1_000), undefined)
})
