/** Tenants' lives, their events, and the places where their rows are. */
import assert from 'node:assert/strict'
import {
  createLifecycle,
  dispatchEvents,
  emit,
  type LifecycleEvent,
  moveTenant,
  newTenantId,
  placementFor,
} from '@tenantry/tenancy'
import type { Desk } from '../desk.ts'
import { setup } from './setup.ts'

/** A tenant at work in the pool, with the usual rows. */
async function pooledTenant({ restock, life, later }: Desk): Promise<string> {
  const tenantId = newTenantId()
  await restock(tenantId)
  later(() => life.options.provisioning.deprovision(tenantId, placementFor('silo', tenantId)))
  return tenantId
}

/** The events that wait, which then wait no more. */
async function waitingEvents({ control }: Desk): Promise<LifecycleEvent[]> {
  const events: LifecycleEvent[] = []
  await dispatchEvents({ sql: control, schema: 'control', deliver: async (event) => void events.push(event) })
  return events
}

export const lifeSetups = {
  'tenancy clearExports': setup({
    async given(desk) {
      const { lifecycle, sql } = desk.life
      const tenantId = await pooledTenant(desk)
      await lifecycle.run({ saga: 'exportData', key: `export-of-${tenantId}`, tenantId, input: {} })
      await sql`update sagas set ended_at = ended_at - interval '8 days' where tenant = ${tenantId}`
      return {}
    },
  }),
  'tenancy exportTenant': setup({ given: ({ options }) => ({ openOwner: options.openOwner }) }),
  'tenancy dispatchEvents': setup({
    async given(desk) {
      await waitingEvents(desk)
      await desk.control.begin((tx) => emit(tx, 'control', { tenantId: desk.tenantId, name: 'tenantUserCreated' }))
      const sent: string[] = []
      return { sent, bus: { send: async ({ name }: LifecycleEvent) => void sent.push(name) } }
    },
    verify: ({ sent }) => assert.deepEqual(sent, ['tenantUserCreated']),
  }),
  'tenancy emit': setup({
    async given(desk) {
      await desk.owner`create table users (id text primary key, tenant text not null)`
      await desk.owner`grant select, insert on users to control_plane`
      await waitingEvents(desk)
      return {}
    },
    async verify(desk) {
      assert.deepEqual(
        (await waitingEvents(desk)).map(({ name, detail }) => [name, detail]),
        [['tenantUserCreated', { userId: 'auth0|anna' }]],
      )
    },
  }),
  'tenancy StepRefused': setup({
    async verify({ control }, { reserveName }) {
      const sagas = [{ name: 'naming', steps: [reserveName] as const }]
      const lifecycle = createLifecycle({ sql: control, schema: 'control', sagas })
      const request = { saga: 'naming', key: 'the-name-is-taken', input: { name: 'admin' } }
      const { state, failure } = await lifecycle.run(request)
      assert.deepEqual(
        [state, failure?.code, failure?.status, failure?.step],
        ['failed', 'name_taken', 409, 'reserveName'],
      )
    },
  }),
  'tenancy createLifecycle': setup({
    given() {
      const sent: unknown[] = []
      const send = async (template: string, name: unknown, _key: string) => {
        sent.push([template, name])
        return {}
      }
      return { sent, mail: { send } }
    },
    verify: ({ sent }) => assert.deepEqual(sent, [['welcome', 'blue-kite']]),
  }),
  'tenancy moveTenant': setup({
    given: async (desk) => ({
      tenantId: await pooledTenant(desk),
      provision: desk.options.provisioning.provision,
    }),
  }),
  'tenancy createPlacedDatabase': setup({
    async given(desk) {
      const tenantId = await pooledTenant(desk)
      const silo = placementFor('silo', tenantId)
      await desk.options.provisioning.provision(tenantId, silo)
      await moveTenant(desk.options, tenantId, silo)
      return { identity: { ...desk.identity, tenantId }, urlOf: desk.siloUrl }
    },
  }),
  'tenancy createProvisioning': setup({
    async verify({ sql, tenantId }) {
      const [there] = await sql`select to_regclass(${`"tenant_${tenantId}".items`})::text as items`
      assert.ok(there?.items)
    },
  }),
}
