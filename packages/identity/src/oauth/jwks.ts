import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Keyrings } from '../keys/keyring.ts'

/** The keys that verify: the one that signs and the one that will (RFC 7517 §5). */
export const jwks =
  ({ keyrings }: { keyrings: Keyrings }) =>
  async (app: Api) => {
    app.get('/.well-known/jwks.json', async (request, reply) => {
      const { jwks: keys } = await keyrings(request.environment.id)
      return reply.header('cache-control', 'public, max-age=300, stale-while-revalidate=600').send(keys)
    })
  }
