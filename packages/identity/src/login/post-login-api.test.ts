/** What post-login Actions may say beyond claims and metadata. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  bindActions,
  bindPostLogin,
  createWorld,
  openBrowser,
  PASSWORD,
  payloadOf,
  toldClient,
} from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SEEN = 'https://a.test/seen'

async function settle() {
  const world = await createWorld(identity, { organization_usage: 'allow', organization_require_behavior: 'no_prompt' })
  return { world, anna: await world.person('anna@example.test') }
}

test('what an Action leaves in the transaction stands in the event at once, and for later Actions also when the person was away', async () => {
  const { world, anna } = await settle()
  const { env } = world
  const away = `exports.onExecutePostLogin = async (event, api) => {
    api.transaction.setMetadata('seen', event.transaction.metadata).transaction.setMetadata('score', 42)
    api.transaction.setMetadata('gone', event.transaction.metadata.score).transaction.setMetadata('gone', null)
    api.redirect.sendUserTo('https://quiz.example.test')
  }
  exports.onContinuePostLogin = async (event, api) => { api.transaction.setMetadata('back', true) }`
  const handler = (body: string) => `exports.onExecutePostLogin = async (event, api) => { ${body} }`
  await bindActions(
    world,
    'post-login',
    handler(`api.transaction.setMetadata('first', { a: [1] })`),
    away,
    handler(`api.accessToken.setCustomClaim('${SEEN}', event.transaction.metadata)`),
  )
  const browser = openBrowser(env)
  const { path, verifier } = world.authorize()
  const form = await browser.follow(await browser.visit(path))
  const leaving = await browser.follow(await browser.submit(form, { username: anna.email, password: PASSWORD }))
  const [, state] = /quiz\.example\.test\/\?state=([^"&]+)/.exec(leaving.text)!
  const { code } = toldClient(await browser.follow(await browser.visit(`/continue?state=${state}`)))
  const { json } = await world.exchange(code!, verifier)
  assert.deepEqual(payloadOf(json.access_token)[SEEN], {
    first: { a: [1] },
    seen: { first: { a: [1] } },
    score: 42,
    back: true,
  })
})

test('an Action that finds something invalid refuses the sign-in with its message, and later ones do not run', async () => {
  const { world, anna } = await settle()
  await bindPostLogin(
    world,
    `if (!api.rules.wasExecuted('rul_1')) api.validation.error('no_contract', 'Sign the contract first.')`,
    `api.user.setAppMetadata('reached', true)`,
  )
  const browser = openBrowser(world.env)
  const form = await browser.follow(await browser.visit(world.authorize().path))
  const told = toldClient(await browser.submit(form, { username: anna.email, password: PASSWORD }))
  assert.deepEqual([told.error, told.error_description], ['access_denied', 'Sign the contract first.'])
  const { app_metadata } = (await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.deepEqual(app_metadata, {})
})
