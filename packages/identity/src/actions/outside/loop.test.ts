/** Actions that call their own issuer, through the token endpoint and back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { AUDIENCE, bindActions, createWorld, payloadOf, type World } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { defaultLimits } from '../limits.ts'

const SEEN = 'https://a.test/seen'

let identity: TestIdentity
let world: World
before(async () => {
  identity = await startIdentity({ egress: createEgress({ allow: ['127.0.0.0/8'] }) })
  world = await createWorld({ environment: (settings) => identity.environment(settings, '127.0.0.1') })
})
after(() => identity.close())

async function machine() {
  const { client_id, client_secret } = await world.client({ name: 'Import', app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ask = (headers = {}) => world.env.request('/oauth/token', { form, headers })
  return { client_id, form, ask }
}

/** An Action that asks its own issuer for a token, and tells in its own what it was answered, and what that one tells. */
const asks = (form: object, unless = 'false') => `exports.onExecuteCredentialsExchange = async (event, api) => {
  if (${unless}) return
  const answer = await fetch('${world.env.issuer}oauth/token', {
    method: 'POST', headers: { 'cdn-loop': 'none' }, body: new URLSearchParams(${JSON.stringify(form)}) })
  const { access_token, error } = await answer.json()
  const told = access_token && JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString())['${SEEN}']
  api.accessToken.setCustomClaim('${SEEN}', [answer.status, ...(told ?? [error ?? 'token'])])
}`

test('CWE-674 Actions that cause themselves by what they ask this server end at the third', async () => {
  const { form, ask } = await machine()
  await bindActions(world, 'credentials-exchange', asks(form))
  const answer = await ask()
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(payloadOf(answer.json.access_token)[SEEN], [200, 200, 403, 'access_denied'])
  const failed = async () => (await world.env.manage('GET', '/logs?q=type:actions_execution_failed')).json
  // Entries are gathered for a tenth of a second.
  while ((await failed()).length === 0) await wait(50)
  const entries = await failed()
  assert.equal(entries.length, 1)
  assert.match(entries[0].details.detail, /^It was not run: 3 Actions have called one another through this server/)
})

test('whoever says from outside that Actions caused a request has Actions refused to himself; other names count for nothing', async () => {
  const { ask, client_id } = await machine()
  await bindActions(world, 'credentials-exchange', asks({}, `event.client.client_id === '${client_id}'`))
  const name = 'tenantry-actions'
  const answers: Record<string, number> = {
    [`${name}, ${name}`]: 200,
    [`${name}, ${name}, ${name}`]: 403,
    [`${name};a=1,${name.toUpperCase()} ,cloudflare, ${name} ; b`]: 403,
    'cloudflare; loops=3, fastly, x-tenantry-actions, tenantry-actions-x': 200,
  }
  for (const [header, status] of Object.entries(answers)) {
    assert.equal((await ask({ 'cdn-loop': header })).status, status, header)
  }
})

test('CWE-833 as many Actions as may run at once, each asking this server for a token, are all answered', async () => {
  const [outer, inner] = [await machine(), await machine()]
  await bindActions(world, 'credentials-exchange', asks(inner.form, `event.client.client_id === '${inner.client_id}'`))
  const answers = await Promise.all(Array.from({ length: 2 * defaultLimits.concurrency }, () => outer.ask()))
  assert.deepEqual(
    answers.map((answer) => (answer.status === 200 ? payloadOf(answer.json.access_token)[SEEN] : answer.text)),
    answers.map(() => [200, 'token']),
  )
})
