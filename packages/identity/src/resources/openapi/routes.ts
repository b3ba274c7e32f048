/** The description of the Management API, for anybody: tools read it before they have a token. */
import type { MountedRoute } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { openapiDocument } from './document.ts'

export const VERSION = '2.0.0'

export async function openapi(app: Api, routes: readonly MountedRoute[]): Promise<void> {
  // Made when first asked for: by then every route is mounted.
  let text: string | undefined
  app.get('/api/v2/openapi.json', async (_request, reply) => {
    text ??= JSON.stringify(openapiDocument(routes, { version: VERSION }))
    return reply.type('application/json').header('cache-control', 'public, max-age=300').send(text)
  })
}
