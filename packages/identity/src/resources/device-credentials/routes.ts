/** Device credentials: the older view on refresh tokens, one for each device. There are none with public keys. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { answer, PageAnswer, pageOf } from '../paging.ts'
import * as refreshTokens from '../refresh-tokens/store.ts'
import { pick, present } from '../wire.ts'
import { DeviceCredential, DeviceCredentialId, ListDeviceCredentials } from './schema.ts'

const tags = ['device-credentials']

const shown = (row: refreshTokens.RefreshTokenRow) =>
  present({
    id: row.id,
    device_name: row.initial_user_agent,
    type: row.rotating ? 'rotating_refresh_token' : 'refresh_token',
    user_id: row.user_id,
    client_id: row.client_id,
  })

export const deviceCredentials: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/device-credentials',
      {
        config: { scope: 'read:device_credentials' },
        schema: {
          operationId: 'listDeviceCredentials',
          summary: 'List what devices hold to stay signed in',
          tags,
          querystring: ListDeviceCredentials,
          response: { 200: PageAnswer('device_credentials', DeviceCredential), ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const page = pageOf(query)
        const { user_id, client_id, type } = query
        const rotating = type === undefined ? undefined : type === 'rotating_refresh_token'
        const found =
          type === 'public_key'
            ? { rows: [], total: 0 }
            : await database.inEnvironment(environment.id, (tx) =>
                refreshTokens.list(tx, page, { user_id, client_id, rotating }, clock.now()),
              )
        const show = (row: refreshTokens.RefreshTokenRow) => pick(shown(row), query)
        return answer('device_credentials', page, found, (row) => row.id, show)
      },
    )

    app.delete(
      '/device-credentials/:id',
      {
        config: { scope: 'delete:device_credentials' },
        schema: {
          operationId: 'deleteDeviceCredential',
          summary: 'Take from a device what keeps it signed in',
          tags,
          params: DeviceCredentialId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) => refreshTokens.revoke(tx, params.id, clock.now()))
        return reply.code(204).send(null)
      },
    )
  }
