import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { refusals } from '../../management-api.ts'
import { problems, shown } from '../rules.ts'
import { CreateExport, Job } from '../schema.ts'
import * as store from '../store.ts'
import { settingsOf } from './fields.ts'

export const userExports: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.post(
      '/jobs/users-exports',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'exportUsers',
          summary: 'Export users to a file, in the background',
          tags: ['jobs'],
          body: CreateExport,
          response: { 200: Job, ...refusals(400, 429) },
        },
      },
      async (request) => {
        const { environment, body } = request
        const settings = settingsOf(body)
        const now = clock.now()
        const id = newId.job()
        const row = await database.inEnvironment(environment.id, async (tx) => {
          const placed = await store.insert(tx, environment.id, {
            id,
            type: 'users_export',
            status: 'pending',
            connection_id: body.connection_id ?? null,
            settings,
            created_at: now,
            lease_until: now,
          })
          if (!placed) throw problems.too_many_jobs({ facts: { what: 'export users' } })
          return store.get(tx, id)
        })
        return shown(row, clock, undefined)
      },
    )
  }
