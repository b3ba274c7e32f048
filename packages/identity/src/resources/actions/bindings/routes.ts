/** Which actions run at a trigger, and in what order. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { pageOf } from '../../paging.ts'
import { createShow, requireTrigger, shownTriggers } from '../rules.ts'
import { Binding, PageQuery, Trigger, TriggerPath, UpdateBindings } from '../schema.ts'
import * as store from '../store.ts'

const tags = ['actions']

export const actionBindings: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    const shown = async (tx: Parameters<typeof store.get>[0], environmentId: string, bindings: store.BindingRow[]) => {
      const show = createShow(secrets, environmentId)
      const ids = bindings.map((binding) => binding.action_id)
      const deployed = await store.deployedVersions(tx, ids)
      const rows = await Promise.all(ids.map((id) => store.get(tx, id)))
      return bindings.map((binding, index) => {
        const row = rows[index]!
        return show.binding({ binding, row, deployed: deployed.get(row.id) })
      })
    }

    app.get(
      '/actions/triggers',
      {
        config: { scope: 'read:actions' },
        schema: {
          operationId: 'listTriggers',
          summary: 'List the triggers at which actions run',
          tags,
          response: { 200: Type.Object({ triggers: Type.Array(Trigger) }), ...refusals() },
        },
      },
      async () => ({ triggers: shownTriggers }),
    )

    app.get(
      '/actions/triggers/:trigger_id/bindings',
      {
        config: { scope: 'read:actions' },
        schema: {
          operationId: 'listTriggerBindings',
          summary: 'List the actions bound to a trigger, in their order',
          tags,
          params: TriggerPath,
          querystring: PageQuery,
          response: {
            200: Type.Object({
              total: Type.Integer(),
              page: Type.Integer(),
              per_page: Type.Integer(),
              bindings: Type.Array(Binding),
            }),
            ...refusals(400, 501),
          },
        },
      },
      async (request) => {
        requireTrigger(request.params.trigger_id)
        const { page: number = 0, per_page = 50 } = request.query
        const page = pageOf({ page: number, per_page })
        return database.inEnvironment(request.environment.id, async (tx) => {
          const { rows, total } = await store.listBindings(tx, request.params.trigger_id, page)
          return { total, page: number, per_page, bindings: await shown(tx, request.environment.id, rows) }
        })
      },
    )

    app.patch(
      '/actions/triggers/:trigger_id/bindings',
      {
        config: { scope: 'update:actions' },
        schema: {
          operationId: 'updateTriggerBindings',
          summary: 'Replace the list of actions bound to a trigger',
          tags,
          params: TriggerPath,
          body: UpdateBindings,
          response: { 200: Type.Object({ bindings: Type.Array(Binding) }), ...refusals(400, 501) },
        },
      },
      async (request) => {
        const { trigger_id } = request.params
        const environmentId = request.environment.id
        requireTrigger(trigger_id)
        const now = clock.now()
        return database.inEnvironment(environmentId, async (tx) => {
          await store.lockBindings(tx, environmentId, trigger_id)
          const bindings: store.BindingRow[] = []
          for (const { ref, display_name } of request.body.bindings) {
            const action = await store.findDeployed(tx, trigger_id, ref)
            if (!action) throw refuse(`There is no deployed action with the ${ref.type} '${ref.value}'.`)
            if (bindings.some((binding) => binding.action_id === action.id)) {
              throw refuse(`The action '${action.name}' is bound twice.`)
            }
            bindings.push({
              id: newId.uuid(),
              trigger_id,
              display_name: display_name ?? action.name,
              action_id: action.id,
              created_at: now,
              updated_at: now,
            })
          }
          await store.replaceBindings(tx, environmentId, trigger_id, bindings)
          return { bindings: await shown(tx, environmentId, bindings) }
        })
      },
    )
  }

const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })
