/**
 * The Management API as OpenAPI 3.1, made from what the routes declare: the same schemas that requests are checked with
 * and answers are written by, so it cannot say anything else.
 */
import type { MountedRoute } from '@tenantry/kernel/http/server.ts'

type Json = Record<string, unknown>

interface RouteSchema {
  operationId: string
  summary: string
  tags: string[]
  params?: ObjectSchema
  querystring?: ObjectSchema
  body?: object
  consumes?: string[]
  response: Record<string, object>
}

interface ObjectSchema {
  properties?: Record<string, Json>
  required?: string[]
}

const PREFIX = '/api/v2'
const MEANING: Record<string, string> = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted; the rest is done in the background.',
  204: 'Done; there is nothing to show.',
  400: 'What was sent is not what the operation takes.',
  401: 'There is no token, or it is worth nothing here.',
  403: 'The token lacks the scope.',
  404: 'There is no such thing in this environment.',
  409: 'It collides with something that exists.',
  413: 'The body is too large.',
  429: 'The client has asked too often.',
  501: 'Not served, or not with this value.',
}

/** @param routes as mounted; what is not part of the Management API is left out */
export function openapiDocument(routes: readonly MountedRoute[], { version }: { version: string }): Json {
  const operations = routes.flatMap((route) => {
    const schema = route.schema as RouteSchema | undefined
    const served = route.url.startsWith(`${PREFIX}/`) && route.method !== 'HEAD' && schema?.operationId
    return served ? [{ ...route, schema: schema!, scopes: [route.config?.scope ?? []].flat() }] : []
  })
  const components = createComponents()
  for (const { schema } of operations) nameSchemas(components, schema)
  const paths: Record<string, Json> = {}
  for (const { method, url, schema, scopes } of operations) {
    const path = url.slice(PREFIX.length).replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(schema, scopes, components) }
  }
  const scopes = [...new Set(operations.flatMap((operation) => operation.scopes))].toSorted()
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tenantry Management API',
      version,
      description:
        'Provisions everything inside one environment, with the paths, bodies and answers of Auth0’s Management API.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: PREFIX }],
    security: [{ management: [] }],
    tags: [...new Set(operations.flatMap(({ schema }) => schema.tags))].toSorted().map((name) => ({ name })),
    paths: Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      schemas: components.rendered(),
      securitySchemes: {
        management: {
          type: 'oauth2',
          flows: {
            clientCredentials: {
              tokenUrl: '/oauth/token',
              scopes: Object.fromEntries(scopes.map((scope) => [scope, scope.replace(':', ' ').replaceAll('_', ' ')])),
            },
          },
        },
      },
    },
  }
}

function operationOf(schema: RouteSchema, scopes: readonly string[], components: Components): Json {
  const { operationId, summary, tags, params, querystring, body } = schema
  const content = (of: object) => ({
    [schema.consumes?.[0] ?? 'application/json']: { schema: components.refer(of) },
  })
  return {
    operationId,
    summary,
    tags,
    // Any one of them is enough.
    security: scopes.map((scope) => ({ management: [scope] })),
    parameters: [...parametersOf(params, 'path'), ...parametersOf(querystring, 'query')],
    ...(body ? { requestBody: { required: true, content: content(body) } } : {}),
    responses: Object.fromEntries(
      Object.entries(schema.response).map(([status, answer]) => [
        status,
        {
          description: MEANING[status] ?? 'See the message.',
          ...(Number(status) === 204 ? {} : { content: { 'application/json': { schema: components.refer(answer) } } }),
        },
      ]),
    ),
  }
}

function parametersOf(schema: ObjectSchema | undefined, where: 'path' | 'query'): Json[] {
  return Object.entries(schema?.properties ?? {}).map(([name, { description, ...value }]) => ({
    name,
    in: where,
    required: where === 'path' || (schema?.required ?? []).includes(name),
    ...(description ? { description } : {}),
    schema: value,
  }))
}

interface Components {
  /** The first name given to a schema stays. */
  name(schema: object | undefined, name: string): void
  refer(schema: object): object
  rendered(): Record<string, object>
}

function createComponents(): Components {
  const names = new Map<string, { name: string; schema: object }>()
  const taken = new Set<string>()
  // The same text is the same schema: declarations are often written where they are used.
  const keyOf = (schema: object) => JSON.stringify(schema)
  return {
    name(schema, name) {
      if (!schema || names.has(keyOf(schema)) || taken.has(name)) return
      taken.add(name)
      names.set(keyOf(schema), { name, schema })
    },
    refer(schema) {
      const known = names.get(keyOf(schema))
      return known ? { $ref: `#/components/schemas/${known.name}` } : schema
    },
    rendered: () =>
      Object.fromEntries(
        [...names.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, schema }) => [name, schema]),
      ),
  }
}

/** `getOrganization` answers with an Organization, `createOrganization` takes a CreateOrganization. */
function nameSchemas(components: Components, { operationId, body, response }: RouteSchema): void {
  for (const [status, answer] of Object.entries(response)) {
    if (Number(status) >= 400) components.name(answer, 'Refusal')
    else if (operationId.startsWith('get') && status === '200') components.name(answer, operationId.slice(3))
  }
  if (/^(create|update|replace|set)/.test(operationId)) {
    components.name(body, operationId[0]!.toUpperCase() + operationId.slice(1))
  }
}
