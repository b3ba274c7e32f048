/** What holds for a whole environment. Auth0 calls an environment a tenant. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { changed as changedBranding } from '../branding/rules.ts'
import * as branding from '../branding/store.ts'
import * as connections from '../connections/store.ts'
import { canonicalAudience, refusals } from '../management-api.ts'
import * as resourceServers from '../resource-servers/store.ts'
import { FieldsQuery, pick } from '../wire.ts'
import { changed, refuse, shown } from './rules.ts'
import { TenantSettings, UpdateTenantSettings } from './schema.ts'
import * as store from './store.ts'

const tags = ['tenants']

export const tenantSettings: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/tenants/settings',
      {
        config: { scope: 'read:tenant_settings' },
        schema: {
          operationId: 'getTenantSettings',
          summary: 'Get the settings of the environment',
          tags,
          querystring: Exact(FieldsQuery),
          response: { 200: TenantSettings, ...refusals(400) },
        },
      },
      async (request) => pick(shown(await database.inEnvironment(request.environment.id, store.get)), request.query),
    )

    app.patch(
      '/tenants/settings',
      {
        config: { scope: 'update:tenant_settings' },
        schema: {
          operationId: 'updateTenantSettings',
          summary: 'Change the settings of the environment',
          tags,
          body: UpdateTenantSettings,
          response: { 200: TenantSettings, ...refusals(400, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        return database.inEnvironment(environment.id, async (tx) => {
          const { name, settings } = await store.lock(tx)
          const next = changed(settings, body)
          if (body.default_audience) {
            const known = await resourceServers.isKnown(tx, canonicalAudience(environment, body.default_audience))
            if (!known) throw refuse("'default_audience' is not an API of this environment.")
          }
          if (body.default_directory) {
            const known = await connections.findByName(tx, body.default_directory)
            if (known?.strategy !== 'auth0') throw refuse("'default_directory' is not a database of this environment.")
          }
          await store.save(tx, next)
          const colors = body.universal_login?.colors
          if (colors !== undefined) {
            await branding.save(tx, changedBranding(await branding.lock(tx, environment.id), { colors }))
          }
          return shown({ name, settings: next })
        })
      },
    )
  }
