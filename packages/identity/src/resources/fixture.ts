/** What tests of several resources stand on, made through the API itself, in one environment. */
import type { TestEnvironment } from '../testing.ts'

export const PASSWORD = 'Quiet-Horse-Lamp-7'

export interface Nouns {
  connection: { id: string; name: string }
  client: { client_id: string }
  machine: { client_id: string }
  api: { id: string; identifier: string }
  grant: { id: string }
  organization: { id: string }
  role: { id: string }
  user: { user_id: string }
}

/** One of everything. The API has the permissions read:items and write:items. */
export async function createNouns(env: TestEnvironment): Promise<Nouns> {
  const make = async (path: string, body: object) => {
    const answer = await env.manage('POST', path, body)
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.text}`)
    return answer.json
  }
  const client = await make('/clients', { name: 'Stockroom', app_type: 'spa' })
  const machine = await make('/clients', { name: 'Night job', app_type: 'non_interactive' })
  const connection = await make('/connections', {
    name: 'people',
    strategy: 'auth0',
    enabled_clients: [client.client_id],
  })
  const api = await make('/resource-servers', {
    identifier: 'https://api.example.test',
    name: 'Items',
    scopes: [{ value: 'read:items', description: 'Read items' }, { value: 'write:items' }],
  })
  const grant = await make('/client-grants', {
    client_id: machine.client_id,
    audience: api.identifier,
    scope: ['read:items'],
    organization_usage: 'allow',
  })
  const organization = await make('/organizations', { name: 'blue-kite' })
  const role = await make('/roles', { name: 'Clerk' })
  const user = await make('/users', { connection: 'people', email: 'Anna@example.test', password: PASSWORD })
  return { connection, client, machine, api, grant, organization, role, user }
}

export const permission = (name: string, api = 'https://api.example.test') => ({
  resource_server_identifier: api,
  permission_name: name,
})
