/**
 * POST /passkey/challenge: what an application that shows its own pages lets the browser or phone sign, and the
 * `auth_session` with which it takes the answer to the token endpoint (grants/webauthn.ts). It says nothing about anybody:
 * the passkey names its person.
 */

import type { Api } from '@tenantry/kernel/http/slice.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import type { RequestEnvironment } from '../environments/environment.ts'
import { offerPasskey, passkeyConnections } from '../login/passkeys.ts'
import type { Client, Configuration, Connection } from './configuration.ts'
import { organizationWithoutPages } from './organization.ts'
import { readParameters } from './parameters.ts'
import { problems } from './problems.ts'
import { authenticateClient } from './token/client-authentication.ts'
import type { TokenDependencies } from './token/token.ts'

/** As long as Auth0's documentation of its SDKs says. */
export const AUTH_SESSION_SECONDS = 300

export const PASSKEY_GRANT = 'urn:okta:params:oauth:grant-type:webauthn'

export const passkey = (deps: TokenDependencies) => async (app: Api) => {
  app.post('/passkey/challenge', async (request, reply) => {
    const { environment } = request
    const parameters = readParameters(request.body)
    const client = await passkeyClient(deps, request, parameters)
    const { connection, organizationId } = await passkeyRealm(deps.configuration, environment, client, parameters)
    const handle = randomHandle()
    const details = {
      client_id: client.client_id,
      connection_id: connection.id,
      organization_id: organizationId ?? null,
    }
    const options = await offerPasskey(deps, environment, hashHandle(handle), AUTH_SESSION_SECONDS, details)
    return reply.header('cache-control', 'no-store').send({ authn_params_public_key: options, auth_session: handle })
  })
}

/** @throws Problem `unauthenticated_client`, `unauthorized_client` */
export async function passkeyClient(
  deps: TokenDependencies,
  { environment, headers: { authorization } }: FastifyRequest,
  parameters: Readonly<Record<string, string>>,
): Promise<Client> {
  const client = await authenticateClient(deps, environment, { authorization, parameters })
  if (client.grant_types.includes(PASSKEY_GRANT)) return client
  throw problems.unauthorized_client({ facts: { type: PASSKEY_GRANT } })
}

/**
 * The database that is meant, and for which organization: the one that is named, or the environment's own for requests
 * that name none.
 *
 * @throws Problem `invalid_request`, `no_default_directory`, `invalid_realm`
 */
export async function passkeyRealm(
  configuration: Configuration,
  environment: RequestEnvironment,
  client: Client,
  { realm, organization: asked }: Readonly<Record<string, string>>,
): Promise<{ connection: Connection; organizationId: string | undefined }> {
  const organization = await organizationWithoutPages(configuration, environment, client, asked || undefined)
  const organizationId = organization?.organization_id
  const name = realm || environment.settings.default_directory
  if (!name) throw problems.no_default_directory()
  const usable = await configuration.connections(environment.id, client.client_id, organizationId)
  const connection = passkeyConnections(usable).find((each) => each.name === name)
  // One answer for a database that does not exist, that is not enabled here, and that has no passkeys.
  if (!connection) throw problems.invalid_realm()
  return { connection, organizationId }
}
