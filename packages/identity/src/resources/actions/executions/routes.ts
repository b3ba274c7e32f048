/** What the bound actions did at one sign-in, by the id that the tenant log and the page of a failed one show. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { Timestamp } from '../../wire.ts'
import { problems } from './rules.ts'
import * as store from './store.ts'

const Execution = Type.Object({
  id: Type.String(),
  trigger_id: Type.String(),
  status: Type.String(),
  results: Type.Array(
    Type.Object({
      action_name: Type.String(),
      started_at: Type.String(),
      ended_at: Type.String(),
      error: Type.Optional(Type.Object({ id: Type.String(), msg: Type.String() })),
    }),
  ),
  created_at: Timestamp,
  updated_at: Timestamp,
})

export const actionExecutions: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/actions/executions/:id',
      {
        config: { scope: 'read:actions' },
        schema: {
          operationId: 'getActionExecution',
          summary: 'Get what the actions did at one sign-in',
          tags: ['actions'],
          params: Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) }),
          response: { 200: Execution, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) => store.find(tx, request.params.id))
        if (!row) throw problems.inexistent_execution()
        return row
      },
    )
  }
