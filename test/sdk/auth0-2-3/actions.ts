import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Open } from './client.ts'

const CODE = 'exports.onExecutePostLogin = async (event, api) => {}'
const TRIGGER = { id: 'post-login', version: 'v3' }

export function actionsSuite(open: Open): void {
  test('Actions, their versions and their bindings', async () => {
    const { api, tag } = open()
    const { triggers } = await api.actions.getAllTriggers()
    assert.ok(triggers.some(({ id }: { id: string }) => id === 'post-login'))
    const made = await api.actions.create({ name: tag, supported_triggers: [TRIGGER], code: CODE, runtime: 'node22' })
    const id: string = made.id
    assert.deepEqual([made.name, made.code, made.supported_triggers], [tag, CODE, [TRIGGER]])
    assert.deepEqual(await api.actions.get({ id }), made)
    const code = `${CODE} // two`
    assert.equal((await api.actions.update({ id }, { code })).code, code)
    assert.deepEqual(
      (await api.actions.getAll({ actionName: tag })).actions.map((found: { id: string }) => found.id),
      [id],
    )
    const tried = await api.actions.test({ id }, { payload: { user: {} } })
    assert.deepEqual([tried.payload.status, tried.payload.errors], ['success', []])
    const deployed = await api.actions.deploy({ id })
    assert.deepEqual([deployed.code, deployed.number, deployed.deployed], [code, 1, true])
    const { versions } = await api.actions.getVersions({ id })
    assert.deepEqual(
      versions.map((version: { id: string }) => version.id),
      [deployed.id],
    )
    const version = await api.actions.getVersion({ id, version_id: deployed.id })
    assert.deepEqual([version.id, version.action_id, version.code], [deployed.id, id, code])
    const again = await api.actions.deployVersion({ id, version_id: deployed.id })
    assert.deepEqual([again.number, again.code], [2, code])

    const { bindings } = await api.actions.updateTriggerBindings(
      { trigger_id: 'post-login' },
      { bindings: [{ ref: { type: 'action_id', value: id }, display_name: tag }] },
    )
    assert.equal(bindings[0].action.id, id)
    const bound = await api.actions.getTriggerBindings({ trigger_id: 'post-login' })
    assert.deepEqual(
      bound.bindings.map((binding: { display_name: string }) => binding.display_name),
      [tag],
    )
    await api.actions.updateTriggerBindings({ trigger_id: 'post-login' }, { bindings: [] })
    await api.actions.delete({ id })
    await assert.rejects(api.actions.get({ id }), { statusCode: 404 })
  })
}
