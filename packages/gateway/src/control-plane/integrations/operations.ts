import { limits } from '../../api.ts'
import { partOperations } from '../parts.ts'
import { routeKeysNaming } from '../parts-store.ts'
import { conflict } from '../problems.ts'
import { integrationSettings } from './rules.ts'
import { CreateIntegration, Integration, type IntegrationMembers, UpdateIntegration } from './schema.ts'

export const integrations = partOperations<'integrations', IntegrationMembers>({
  name: 'Integration',
  table: 'integrations',
  summaries: {
    create: 'Say where requests go',
    list: 'List the integrations of an API',
    read: 'Read an integration',
    change: 'Change an integration',
    remove: 'Remove an integration that no route uses',
  },
  shapes: { create: CreateIntegration, update: UpdateIntegration, shown: Integration },
  most: limits.integrations,
  row: async (body, _edit, before) => ({
    settings: integrationSettings(before?.settings ?? {}, body),
    is_managed: before?.is_managed ?? false,
  }),
  show: ({ id, settings, is_managed }) => ({
    ...settings,
    integrationId: id,
    ...(is_managed ? { apiGatewayManaged: true } : {}),
  }),
  async checkUnused({ id }, { tx, apiId }) {
    const [user] = await routeKeysNaming(tx, 'integration_id', apiId, id)
    if (user === undefined) return
    throw conflict(`Cannot delete Integration '${id}'. Integration is referenced by the route '${user}'`)
  },
})
