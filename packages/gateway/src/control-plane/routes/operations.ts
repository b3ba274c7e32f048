import { limits } from '../../api.ts'
import { partOperations } from '../parts.ts'
import { routeRow } from './rules.ts'
import { CreateRoute, Route, type RouteMembers, UpdateRoute } from './schema.ts'

export const routes = partOperations<'routes', RouteMembers>({
  name: 'Route',
  table: 'routes',
  summaries: {
    create: 'Say which requests an API answers',
    list: 'List the routes of an API',
    read: 'Read a route',
    change: 'Change a route',
    remove: 'Remove a route',
  },
  shapes: { create: CreateRoute, update: UpdateRoute, shown: Route },
  most: limits.routes,
  row: routeRow,
  show: ({ id, route_key, integration_id, authorizer_id, is_managed, settings }) => ({
    ...settings,
    routeId: id,
    routeKey: route_key,
    apiKeyRequired: false,
    ...(integration_id === null ? {} : { target: `integrations/${integration_id}` }),
    ...(authorizer_id === null ? {} : { authorizerId: authorizer_id }),
    ...(is_managed ? { apiGatewayManaged: true } : {}),
  }),
  checkUnused: async () => {},
})
