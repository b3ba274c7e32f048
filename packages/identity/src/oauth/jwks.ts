import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Keyrings } from '../keys/keyring.ts'

/** The keys that verify: the one that signs and the one that will (RFC 7517 §5). */
export const jwks =
  ({ keyrings }: { keyrings: Keyrings }) =>
  async (app: Api) => {
    app.get('/.well-known/jwks.json', async (request, reply) => {
      const { id, settings } = request.environment
      const { jwks: published } = await keyrings(id)
      const keys = settings.flags?.remove_alg_from_jwks
        ? published.keys.map(({ alg: _, ...key }) => key)
        : published.keys
      return reply.header('cache-control', 'public, max-age=300, stale-while-revalidate=600').send({ keys })
    })
  }
