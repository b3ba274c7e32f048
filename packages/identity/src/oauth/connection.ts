import type { Configuration, Connection } from './configuration.ts'
import type { Grant } from './grant-store.ts'
import { problems } from './problems.ts'

/**
 * The connection a person came through, if it may still sign people in for this client and organization, and if client and
 * organization still go together: the one takes organizations, the other lets its members use the client. Asked at every
 * mint: what an administrator turned off must not live on in refresh tokens.
 *
 * @throws Problem `access_denied`, `organization_required`
 */
export async function requireConnection(
  configuration: Configuration,
  environmentId: string,
  { client_id, organization_id, connection_id }: Pick<Grant, 'client_id' | 'organization_id' | 'connection_id'>,
): Promise<Connection> {
  const usage = (await configuration.client(environmentId, client_id))?.organization_usage
  if (organization_id === null && usage === 'require') throw problems.organization_required()
  if (organization_id !== null) {
    if (usage === 'deny') {
      throw problems.access_denied({ facts: { reason: `client ${client_id} does not take organizations` } })
    }
    const organization = await configuration.organization(environmentId, organization_id)
    if (organization?.member_clients && !organization.member_clients.includes(client_id)) {
      const reason = `client ${client_id} is not allowed for members of the ${organization_id} organization`
      throw problems.access_denied({ facts: { reason } })
    }
  }
  const enabled = await configuration.connections(environmentId, client_id, organization_id ?? undefined)
  const connection = enabled.find(({ id }) => id === connection_id)
  if (!connection) {
    const where = organization_id === null ? 'client' : 'organization'
    throw problems.access_denied({ facts: { reason: `the connection is not enabled for the ${where}` } })
  }
  return connection
}
