import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { payloadOf } from '@tenantry/identity/oauth/fixture.ts'
import { AuthenticationClient } from 'auth0-4'
import { data, type Open } from './client.ts'

const CODE = 'exports.onExecutePostLogin = async (event, api) => {}'
const TRIGGER = { id: 'post-login' as const, version: 'v3' }

export function actionsSuite(open: Open): void {
  test('Actions, their versions and their bindings', async () => {
    const { api } = open()
    const { triggers } = await data(api.actions.getAllTriggers())
    assert.ok(triggers.some(({ id }) => id === 'post-login'))
    const made = await data(api.actions.create({ name: 'Four', supported_triggers: [TRIGGER], code: CODE }))
    const { id } = made
    assert.deepEqual([made.name, made.code, made.supported_triggers], ['Four', CODE, [TRIGGER]])
    assert.deepEqual(await data(api.actions.get({ id })), made)
    const code = `${CODE} // two`
    assert.equal((await data(api.actions.update({ id }, { code }))).code, code)
    assert.deepEqual(
      (await data(api.actions.getAll({ actionName: 'Four' }))).actions.map((found) => found.id),
      [id],
    )
    const tried = (await data(api.actions.test({ id }, { payload: { user: {} } }))).payload as { status?: string }
    assert.equal(tried.status, 'success')
    const deployed = await data(api.actions.deploy({ id }))
    assert.deepEqual([deployed.code, deployed.number, deployed.deployed], [code, 1, true])
    assert.deepEqual(
      (await data(api.actions.getVersions({ actionId: id }))).versions.map((version) => version.id),
      [deployed.id],
    )
    const version = await data(api.actions.getVersion({ actionId: id, id: deployed.id! }))
    assert.deepEqual([version.id, version.action_id, version.code], [deployed.id, id, code])
    const again = await data(api.actions.deployVersion({ actionId: id, id: deployed.id! }, {}))
    assert.deepEqual([again.number, again.code], [2, code])

    const triggerId = 'post-login'
    const bindings = [{ ref: { type: 'action_id' as const, value: id }, display_name: 'Fourth' }]
    const bound = await data(api.actions.updateTriggerBindings({ triggerId }, { bindings }))
    assert.equal(bound.bindings[0]!.action.id, id)
    assert.deepEqual(
      (await data(api.actions.getTriggerBindings({ triggerId }))).bindings.map((binding) => binding.display_name),
      ['Fourth'],
    )
    await api.actions.updateTriggerBindings({ triggerId }, { bindings: [] })
    await api.actions.delete({ id })
    await assert.rejects(api.actions.get({ id }), { statusCode: 404 })
  })

  test('the tenant log, its streams and numbers', async () => {
    const { api } = open()
    const { id } = await data(api.roles.create({ name: 'Logged' }))
    await api.roles.delete({ id })
    let entries = await data(api.logs.getAll({ page: 0, per_page: 2, sort: 'date:-1' }))
    for (let tries = 0; tries < 3_000 && entries.length < 2; tries++) {
      await wait(20)
      entries = await data(api.logs.getAll({ page: 0, per_page: 2, sort: 'date:-1' }))
    }
    assert.deepEqual(await data(api.logs.get({ id: entries[0]!.log_id })), entries[0])
    assert.deepEqual(await data(api.logs.getAll({ from: entries[1]!.log_id, take: 1 })), [entries[0]])

    const sink = { httpEndpoint: 'https://logs.example.test/in' }
    const body = { name: 'Four', type: 'http', sink } as Parameters<typeof api.logStreams.create>[0]
    const made = await data(api.logStreams.create(body))
    const stream = { id: made.id }
    const { signing_secret, ...shown } = made as typeof made & { signing_secret: string }
    assert.match(signing_secret, /^[\w-]{43}$/)
    assert.deepEqual([made.name, made.type], ['Four', 'http'])
    assert.deepEqual(await data(api.logStreams.get(stream)), shown)
    assert.deepEqual(await data(api.logStreams.getAll()), [shown])
    assert.deepEqual(await data(api.logStreams.update(stream, { status: 'paused' })), { ...shown, status: 'paused' })
    await api.logStreams.delete(stream)
    await assert.rejects(api.logStreams.get(stream), { statusCode: 404 })

    // Typed as a number, and yet handed on as the text that came.
    assert.equal(String(await data(api.stats.getActiveUsersCount())), '0')
    assert.deepEqual(await data(api.stats.getDaily({ from: '20200101', to: '20200102' })), [])
  })

  test('an Action of credentials-exchange is bound, and adds a claim to a machine’s token', async () => {
    const { api, world } = open()
    const triggerId = 'credentials-exchange'
    const trigger = { id: triggerId as 'credentials-exchange', version: 'v2' }
    const { triggers } = await data(api.actions.getAllTriggers())
    assert.ok(triggers.some(({ id, version }) => id === trigger.id && version === trigger.version))
    const code = `exports.onExecuteCredentialsExchange = async (event, api) => {
      api.accessToken.setCustomClaim('https://four.test/client', event.client.name)
    }`
    const { id } = await data(api.actions.create({ name: 'Machine', supported_triggers: [trigger], code }))
    while ((await data(api.actions.get({ id }))).status !== 'built') await wait(50)
    await api.actions.deploy({ id })
    const bindings = [{ ref: { type: 'action_id' as const, value: id } }]
    const bound = await data(api.actions.updateTriggerBindings({ triggerId }, { bindings }))
    assert.deepEqual(
      await data(api.actions.getTriggerBindings({ triggerId })).then((found) => found.bindings),
      bound.bindings,
    )
    const oauth = new AuthenticationClient(world.options).oauth
    const tokens = await data(oauth.clientCredentialsGrant({ audience: `${world.env.origin}/api/v2/` }))
    assert.equal(payloadOf(tokens.access_token)['https://four.test/client'], 'Backend')
    await api.actions.updateTriggerBindings({ triggerId }, { bindings: [] })
    await api.actions.delete({ id })
  })
}
