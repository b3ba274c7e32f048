import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all } from '../fixture.ts'
import { peopleOf, until } from './people.ts'
import type { Open } from './roles.ts'

interface Details {
  actions?: { executions: string[] }
}

const code = (body: string) => `exports.onExecutePostLogin = async (event, api) => { ${body} }`

export function actionsSuite(open: Open): void {
  test('an action is drafted, tried out, deployed, bound, run by a sign-in and deleted', async () => {
    const { api, world } = open()
    const made = await api.actions.create({
      name: 'Greet',
      supported_triggers: [{ id: 'post-login', version: 'v3' }],
      code: code("api.idToken.setCustomClaim('https://greet.test', event.user.email)"),
      runtime: 'node22',
      secrets: [{ name: 'KEY', value: 'hidden-word' }],
    })
    const id = made.id!
    assert.deepEqual([made.name, made.all_changes_deployed, made.secrets?.[0]?.name], ['Greet', false, 'KEY'])
    assert.deepEqual(await api.actions.get(id), made)
    assert.deepEqual(await all(api.actions.list({ actionName: 'Greet' })), [made])
    const tried = await api.actions.test(id, { payload: { user: { email: 'try@greet.test' } } })
    assert.equal((tried.payload as { status: string }).status, 'success')

    const first = await api.actions.deploy(id)
    assert.deepEqual([first.number, first.deployed, first.action_id], [1, true, id])
    const changed = await api.actions.update(id, { code: code('') })
    assert.deepEqual([changed.code, changed.all_changes_deployed], [code(''), false])
    const second = await api.actions.deploy(id)
    const versions = await all(api.actions.versions.list(id))
    assert.deepEqual(versions.map(({ number, deployed }) => [number, deployed]).toSorted(), [
      [1, false],
      [2, true],
    ])
    assert.deepEqual((await api.actions.versions.get(id, first.id!)).code, made.code)
    const back = await api.actions.versions.deploy(id, first.id!)
    assert.deepEqual([back.code, back.deployed], [made.code, true])
    assert.notEqual(second.id, first.id)

    const { triggers } = await api.actions.triggers.list()
    assert.ok(triggers?.some((trigger) => trigger.id === 'post-login'))
    const bound = await api.actions.triggers.bindings.updateMany('post-login', {
      bindings: [{ ref: { type: 'action_id', value: id }, display_name: 'Greets' }],
    })
    assert.deepEqual(
      bound.bindings?.map((binding) => [binding.display_name, binding.action?.id]),
      [['Greets', id]],
    )
    const bindings = await all(api.actions.triggers.bindings.list('post-login'))
    assert.deepEqual(bindings, bound.bindings)

    const people = await peopleOf(world)
    const greeted = await people.person('greeted@greet.test')
    await people.signIn(greeted)
    const execution = await until(async () => {
      const entries = await all(api.users.logs.list(greeted.user_id))
      const details = entries.find((entry) => entry.type === 's')?.details as Details | undefined
      return details?.actions?.executions[0]
    })
    const ran = await api.actions.executions.get(execution)
    assert.deepEqual([ran.trigger_id, ran.status], ['post-login', 'final'])
    assert.deepEqual(
      ran.results?.map((result) => result.action_name),
      ['Greet'],
    )
    await api.users.delete(greeted.user_id)
    await api.actions.triggers.bindings.updateMany('post-login', { bindings: [] })
    await api.actions.delete(id)
    await assert.rejects(api.actions.get(id), { statusCode: 404 })
  })
}
