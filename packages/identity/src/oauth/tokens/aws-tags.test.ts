import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindActions, createWorld, payloadOf } from '../fixture.ts'
import { awsTags } from './aws-tags.ts'

const CLAIM = 'https://aws.amazon.com/tags'
let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N238 only minting sets AWS’s tags, only for sts.amazonaws.com, and only of the token’s own organization', async () => {
  const world = await createWorld(identity)
  await world.make('/resource-servers', { name: 'AWS', identifier: 'sts.amazonaws.com' })
  const { client_id, client_secret } = await world.client({
    name: 'Export',
    app_type: 'non_interactive',
    // Neither a client's metadata nor the name of a claim in it is looked at.
    client_metadata: { tags: 'forged' },
  })
  const grant = { client_id, organization_usage: 'allow', allow_any_organization: true }
  await world.make('/client-grants', { ...grant, audience: 'sts.amazonaws.com', scope: [] })
  await world.make('/client-grants', { ...grant, audience: AUDIENCE, scope: ['read:item'] })
  const forged = JSON.stringify({ principal_tags: { tenant: ['t-globex'] } })
  await bindActions(
    world,
    'credentials-exchange',
    `exports.onExecuteCredentialsExchange = async (event, api) => {
      for (const name of ['${CLAIM}', 'HTTPS://aws.amazon.com/tags', 'https://a.test/other'])
        api.accessToken.setCustomClaim(name, ${forged})
    }`,
  )
  const claims = async (audience: string, more: Record<string, string> = {}) => {
    const form = { grant_type: 'client_credentials', client_id, client_secret, audience, ...more }
    const answer = await world.env.request('/oauth/token', { form })
    assert.equal(answer.status, 200, answer.text)
    return payloadOf(answer.json.access_token)
  }
  const organization = await world.organization('acme')
  const tagged = await claims('sts.amazonaws.com', { organization, 'https://aws.amazon.com/tags': forged })
  assert.equal(tagged.aud, 'sts.amazonaws.com')
  assert.deepEqual(tagged[CLAIM], {
    principal_tags: { organization: [organization], tenant: ['t-acme'] },
    transitive_tag_keys: ['organization', 'tenant'],
  })
  const without = [await claims('sts.amazonaws.com'), await claims(AUDIENCE, { organization }), await claims(AUDIENCE)]
  for (const token of without) {
    assert.deepEqual(
      Object.keys(token).filter((name) => name.toLowerCase().includes('aws')),
      [],
    )
    // The Action ran: what is not reserved is there.
    assert.ok(token['https://a.test/other'])
  }
})

test('N238 W13 a tenantId that is missing or means something in a policy is no tag', () => {
  const of = (metadata: Record<string, string>) => awsTags('sts.amazonaws.com', { id: 'org_1', metadata })
  const only = { [CLAIM]: { principal_tags: { organization: ['org_1'] }, transitive_tag_keys: ['organization'] } }
  for (const tenantId of ['', '*', 't-*', 'a?', 'a/b', 'a b', '$' + '{aws:username}', 'x'.repeat(257)]) {
    assert.deepEqual(of({ tenantId }), only, tenantId)
  }
  assert.deepEqual(of({}), only)
  for (const audience of [null, 'sts.amazonaws.com/', 'STS.amazonaws.com', 'https://sts.amazonaws.com']) {
    assert.deepEqual(awsTags(audience, { id: 'org_1', metadata: { tenantId: 't-acme' } }), {})
  }
})
