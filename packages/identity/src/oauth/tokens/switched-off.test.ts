/** N27: what is switched off is in no token that is made afterwards, whichever way it is asked for. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindPostLogin, createWorld, openBrowser, payloadOf, toldClient } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** Anna at acme, and every way to a token of hers: a sign-in, a refresh of an earlier one, an exchange by the API's service. */
async function settle() {
  const world = await createWorld(
    identity,
    { organization_usage: 'allow', organization_require_behavior: 'no_prompt' },
    { allow_organization_name_in_authentication_api: true },
  )
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const service = await world.client({
    app_type: 'resource_server',
    resource_server_identifier: AUDIENCE,
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
  })
  const { client_id, client_secret } = service
  const sent = { organization: acme }
  let { access_token, refresh_token } = await world.tokens(anna, sent)
  const subject_token = access_token as string
  const ways = {
    'sign-in': async () => {
      const browser = openBrowser(world.env)
      const { code, verifier } = await world.signIn(browser, anna, sent)
      return world.exchange(code, verifier)
    },
    refresh: async () => {
      const answer = await world.refresh(refresh_token)
      refresh_token = answer.json.refresh_token ?? refresh_token
      return answer
    },
    exchange: () =>
      world.env.request('/oauth/token', {
        form: {
          grant_type: EXCHANGE,
          client_id,
          client_secret,
          subject_token,
          subject_token_type: ACCESS_TOKEN,
          audience: AUDIENCE,
        },
      }),
  }
  const change = async (path: string, body: object) => {
    const answer = await world.env.manage('PATCH', path, body)
    assert.equal(answer.status, 200, answer.text)
  }
  /** What the access tokens of all ways say. */
  const each = async (look: (claims: Record<string, unknown>, way: string) => void) => {
    for (const [way, ask] of Object.entries(ways)) {
      const answer = await ask()
      assert.equal(answer.status, 200, `${way}: ${answer.text}`)
      look(payloadOf(answer.json.access_token), way)
    }
  }
  return { world, acme, anna, sent, ways, change, each }
}

test('N27 permissions and the name of the organization leave every token with their switch, and come back as they were', async () => {
  const { world, acme, each, change } = await settle()
  const api = `/resource-servers/${encodeURIComponent(AUDIENCE)}`
  const named = (on: boolean) => change('/tenants/settings', { allow_organization_name_in_authentication_api: on })
  await each(({ permissions, org_name, org_id }, way) =>
    assert.deepEqual([permissions, org_name, org_id], [['read:item'], 'acme', acme], way),
  )
  await change(api, { token_dialect: 'access_token' })
  await named(false)
  await each((claims, way) => assert.deepEqual(['permissions' in claims, 'org_name' in claims], [false, false], way))
  // A name is then no way to say which organization, either.
  const byName = world.authorize({ organization: 'acme', prompt: 'none' }).path
  assert.equal(toldClient(await world.env.request(byName)).error, 'invalid_request')
  await change(api, { token_dialect: 'access_token_authz' })
  await named(true)
  await each(({ permissions, org_name }, way) =>
    assert.deepEqual([permissions, org_name], [['read:item'], 'acme'], way),
  )
  assert.equal(toldClient(await world.env.request(byName)).error, 'login_required')
})

test('N27 claims of an Action leave every token when it is unbound, those of earlier sign-ins as well', async () => {
  const { world, each, change } = await settle()
  const claim = 'https://a.test/plan'
  await bindPostLogin(world, `api.accessToken.setCustomClaim('${claim}', 'gold')`)
  await each((claims, way) => assert.equal(claims[claim], 'gold', way))
  await change('/actions/triggers/post-login/bindings', { bindings: [] })
  await each((claims, way) => assert.equal(claim in claims, false, way))
})

test('N27 a client that takes no organizations any more gets no token of one, nor one that requires them a token without', async () => {
  const { world, acme, anna, sent, ways, change, each } = await settle()
  const usage = (organization_usage: string) => change(`/clients/${world.spa}`, { organization_usage })
  const waiting = await world.signIn(openBrowser(world.env), anna, sent)
  const own = await world.tokens(anna)
  assert.equal('org_id' in payloadOf(own.access_token), false)
  const denied = (answer: Answer, error_description: string) =>
    assert.deepEqual([answer.status, answer.json], [403, { error: 'access_denied', error_description }])

  await usage('deny')
  const words = `client ${world.spa} does not take organizations`
  denied(await ways.refresh(), words)
  denied(await ways.exchange(), words)
  denied(await world.exchange(waiting.code, waiting.verifier), words)
  const asked = toldClient(await world.env.request(world.authorize(sent).path))
  assert.deepEqual(
    [asked.error, asked.error_description],
    ['invalid_request', 'parameter organization is not allowed for this client'],
  )
  assert.equal((await world.env.manage('GET', `/organizations/${acme}/members`)).json.length, 1)

  await usage('require')
  denied(
    await world.refresh(own.refresh_token),
    'client requires organization membership, but user does not belong to any organization',
  )
  // Nothing was used up or revoked by the refusals.
  await each(({ org_id, permissions }, way) => assert.deepEqual([org_id, permissions], [acme, ['read:item']], way))
  assert.equal((await world.exchange(waiting.code, waiting.verifier)).status, 200)
  await usage('allow')
  const again = await world.refresh(own.refresh_token)
  assert.deepEqual([again.status, 'org_id' in payloadOf(again.json.access_token)], [200, false])
})
