/**
 * GET /client/{client_id}.js: the script from which Lock, Auth0's form for pages of an application's own, learns what it
 * may offer. It is public, as a client id is, so it tells what the sign-in page of the same client shows to anybody, and
 * only of clients that may ask for passwords on their own pages.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { takesSignUps } from '../../login/sign-up.ts'
import { defaultPolicy, passwordLimits } from '../../upstream/database/policy.ts'
import type { Configuration, Connection } from '../configuration.ts'
import { problems } from '../problems.ts'

const ClientFile = Type.Object({ file: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}\\.js$' }) })

export const clientSettings =
  ({ configuration }: { configuration: Configuration }) =>
  async (app: Api) => {
    app.get('/client/:file', { schema: { params: ClientFile } }, async (request, reply) => {
      const { id, name } = request.environment
      const client = await configuration.client(id, request.params.file.slice(0, -'.js'.length))
      if (!client?.cross_origin_authentication || !client.is_first_party) throw problems.not_found()
      const connections = await configuration.connections(id, client.client_id, undefined)
      const strategies = Map.groupBy(connections, ({ strategy }) => strategy)
      const settings = {
        id: client.client_id,
        tenant: name,
        strategies: [...strategies].map(([strategy, of]) => ({ name: strategy, connections: of.map(shown) })),
      }
      return reply
        .type('text/javascript; charset=utf-8')
        .header('cache-control', 'public, max-age=60')
        .header('x-content-type-options', 'nosniff')
        .send(`Auth0.setClient(${JSON.stringify(settings)});\n`)
    })
  }

function shown(connection: Connection) {
  const { name, strategy, options } = connection
  if (strategy !== 'auth0') return { name }
  return {
    name,
    passwordPolicy: options.passwordPolicy ?? defaultPolicy,
    password_complexity_options: { min_length: passwordLimits(options).minimum },
    requires_username: options.requires_username ?? false,
    showSignup: takesSignUps(connection, undefined),
    showForgot: options.disable_self_service_change_password !== true,
  }
}
