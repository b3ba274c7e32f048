/**
 * Which organizations are suspended now, or deleted, which is no less. Access tokens that are out live until they expire wherever they are verified
 * by signature alone; whoever does that asks here every few seconds and refuses those of the listed organizations.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, CheckpointQuery, PageAnswer, pageOf } from '../../paging.ts'
import { Timestamp } from '../../wire.ts'
import * as store from './store.ts'

const SuspendedOrganization = Type.Object({ id: Type.String(), suspended_at: Timestamp })

export const suspendedOrganizations: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/suspended-organizations',
      {
        config: { scope: ['read:organizations_summary', 'read:organizations'] },
        schema: {
          operationId: 'listSuspendedOrganizations',
          summary: 'List the organizations whose tokens no longer count: suspended now, or deleted in the last 31 days',
          tags: ['organizations'],
          querystring: Exact(CheckpointQuery),
          response: { 200: PageAnswer('organizations', SuspendedOrganization), ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const page = pageOf({ take: 100, ...query })
        // Asked anew each time: what decides about access is never cached.
        const found = await database.inEnvironment(environment.id, (tx) => store.list(tx, page))
        return answer('organizations', page, found, (row) => row.id)
      },
    )
  }
