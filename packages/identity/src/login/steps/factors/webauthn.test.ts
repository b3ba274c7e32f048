import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, payloadOf, toldClient } from '../../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { demandAlways, isPage, somebody, turnOn } from '../../factors/fixture.ts'
import { give, type Lies, make, prove } from '../../webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const optionsOf = (page: Answer) => {
  const found = /data-options="([^"]*)"/.exec(page.text)
  assert.ok(found, `nothing is asked of an authenticator: ${page.status} ${page.text.slice(0, 300)}`)
  return JSON.parse(found[1]!.replaceAll('&#34;', '"').replaceAll('&quot;', '"'))
}

const post = async (env: TestEnvironment, browser: Browser, page: Answer, answer: unknown): Promise<Answer> => {
  const form = /<form[^>]*action="([^"]+)"[^>]*data-passkey[\s\S]*?<\/form>/.exec(page.text)!
  const hidden = [...form[0].matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
  const fields = Object.fromEntries(hidden.map((match) => [match[1]!, match[2]!]))
  const body = { ...fields, passkey: typeof answer === 'string' ? answer : JSON.stringify(answer) }
  return browser.follow(await browser.visit(form[1]!, { form: body, headers: { origin: env.origin } }))
}

const rows = ({ id }: TestEnvironment) =>
  identity.database.inEnvironment(
    id,
    (tx) => tx<{ type: string; confirmed: boolean; credential_id: string | null; sign_count: string | null }[]>`
      select type, confirmed, credential_id, sign_count from authentication_methods order by created_at`,
  )

for (const [factor, userVerification, attachment] of [
  ['webauthn-roaming', 'discouraged', 'cross-platform'],
  ['webauthn-platform', 'required', 'platform'],
] as const) {
  test(`${factor} is added where a second factor is demanded, and is what is asked for afterwards`, async () => {
    const { world, env, browser, enter } = await somebody(identity, [factor])
    await demandAlways(env)
    const { page } = await enter()
    assert.match(page.text, new RegExp(`action="/u/mfa-${factor}-enrollment"`))
    const options = optionsOf(page)
    assert.deepEqual(options.authenticatorSelection, {
      residentKey: 'discouraged',
      requireResidentKey: false,
      userVerification,
      authenticatorAttachment: attachment,
    })
    const { credential, answer } = make(env.origin, options)
    assert.ok(toldClient(await post(env, browser, page, answer)).code)
    const [kept] = await rows(env)
    assert.deepEqual([kept!.type, kept!.confirmed, kept!.credential_id], [factor, true, credential.id])

    const { page: asked, verifier } = await enter({ prompt: 'login' })
    assert.match(asked.text, new RegExp(`action="/u/mfa-${factor}-challenge"`))
    const request = optionsOf(asked)
    assert.equal(request.userVerification, userVerification)
    assert.deepEqual(
      request.allowCredentials.map(({ id }: { id: string }) => id),
      [credential.id],
    )
    const done = await post(env, browser, asked, prove(env.origin, request, credential))
    const tokens = await world.exchange(toldClient(done).code!, verifier)
    assert.deepEqual(payloadOf(tokens.json.id_token).amr, ['mfa'])
    assert.equal((await rows(env))[0]!.sign_count, '1')
  })
}

test('N93 a security key is refused whatever is wrong with its answer, and the credential stays as it was', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['webauthn-roaming'])
  await demandAlways(env)
  const credential = await give(identity, env, person.user_id, 'webauthn-roaming')
  const bob = await world.person('bob@example.test')
  const his = await give(identity, env, bob.user_id, 'webauthn-roaming')
  const passkey = await give(identity, env, person.user_id, 'passkey')
  const before = await rows(env)
  let { page } = await enter()
  const refused = async (answer: unknown, name: string) => {
    page = await post(env, browser, page, answer)
    assert.equal(page.status, 400, name)
    assert.match(page.text, /That key didn’t fit/, name)
  }
  const first = optionsOf(page)
  const lies: Record<string, Lies> = {
    'another origin': { origin: 'https://evil.test' },
    'another relying party': { rpId: 'evil.test' },
    'a challenge that nobody made': { challenge: Buffer.alloc(32, 1).toString('base64url') },
    'another ceremony': { type: 'webauthn.create' },
    'a signature of another key': { stolenId: true },
  }
  for (const [name, lie] of Object.entries(lies)) {
    await refused(prove(env.origin, optionsOf(page), { ...credential }, lie), name)
  }
  await refused(prove(env.origin, first, { ...credential }), 'the challenge of an earlier page')
  await refused(prove(env.origin, optionsOf(page), his), 'somebody else’s key')
  await refused(prove(env.origin, optionsOf(page), passkey), 'a passkey in its place')
  await refused('nonsense', 'no answer')
  assert.deepEqual([...(await rows(env))], [...before])
  const honest = prove(env.origin, optionsOf(page), credential)
  assert.ok(toldClient(await post(env, browser, page, honest)).code)
})

test('N92 a security key is not added with the password alone by whoever has another factor', async () => {
  const { env, person, enter, browser } = await somebody(identity, ['webauthn-roaming', 'webauthn-platform'])
  await demandAlways(env)
  await give(identity, env, person.user_id, 'webauthn-platform')
  const { page } = await enter()
  assert.match(page.text, /action="\/u\/mfa-webauthn-platform-challenge"/)
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const answer = await browser.visit(`/u/mfa-webauthn-roaming-enrollment?state=${state}`)
  assert.equal(answer.headers.location, `/u/mfa-webauthn-platform-challenge?state=${state}`)
  assert.equal((await rows(env)).length, 1)
})

test('whoever has a key of another host only adds no factor here with the password alone', async () => {
  const { env, person, enter } = await somebody(identity, ['otp', 'webauthn-roaming'])
  await demandAlways(env)
  await identity.database.inEnvironment(
    env.id,
    (tx) => tx`
      insert into authentication_methods
        (environment_id, id, user_id, type, confirmed, created_at, credential_id, relying_party_identifier)
      values (${env.id}, 'webauthn-roaming|dev_1', ${person.user_id}, 'webauthn-roaming', true, now(), 'an-id',
        'login.example.test')`,
  )
  const { page } = await enter()
  assert.equal(toldClient(page).error, 'access_denied')
  assert.match(toldClient(page).error_description!, /only be used at the address where it was added/)
  // The recovery code stands in for the key here, too.
  await turnOn(env, 'recovery-code')
  await identity.database.inEnvironment(
    env.id,
    (tx) => tx`
      insert into authentication_methods (environment_id, id, user_id, type, confirmed, created_at, code_hash)
      values (${env.id}, 'recovery-code|dev_1', ${person.user_id}, 'recovery-code', true, now(), ${Buffer.alloc(32)})`,
  )
  isPage((await enter()).page, 'mfa-recovery-code-challenge')
})
