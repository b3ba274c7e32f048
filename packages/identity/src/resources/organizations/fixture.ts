/** Rows that tests of organizations stand on, written straight into one environment. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import type { TestEnvironment } from '../../testing.ts'

export interface Fixture {
  connectionId: string
  clientId: string
  organization(given?: { name?: string; display_name?: string; branding?: object }): Promise<string>
  user(email?: string): Promise<string>
  role(name?: string): Promise<string>
}

/** A connection and a client whose login route is `https://app.example.test/login`; more on demand. */
export async function createFixture(database: Database, environment: TestEnvironment): Promise<Fixture> {
  const connectionId = newId.connection()
  const clientId = newId.client()
  await database.inEnvironment(environment.id, async (tx) => {
    await tx`insert into connections ${tx({
      environment_id: environment.id,
      id: connectionId,
      name: 'people',
      strategy: 'auth0',
    })}`
    await tx`insert into clients ${tx({
      environment_id: environment.id,
      client_id: clientId,
      name: 'Stockroom',
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'none',
      initiate_login_uri: 'https://app.example.test/login',
    })}`
  })
  let serial = 0
  return {
    connectionId,
    clientId,
    async organization({ name = `org-${++serial}`, ...rest } = {}) {
      const answer = await environment.manage('POST', '/organizations', { name, ...rest })
      if (answer.status !== 201) throw new Error(`No organization: ${answer.text}`)
      return answer.json.id
    },
    async user(email = `user${++serial}@example.test`) {
      const userId = `auth0|${newId.databaseUser()}`
      await database.inEnvironment(
        environment.id,
        (tx) =>
          tx`insert into users ${tx({
            environment_id: environment.id,
            user_id: userId,
            connection_id: connectionId,
            email,
            name: email.split('@')[0]!,
          })}`,
      )
      return userId
    },
    async role(name = `role-${++serial}`) {
      const id = newId.role()
      await database.inEnvironment(
        environment.id,
        (tx) => tx`insert into roles ${tx({ environment_id: environment.id, id, name, description: null })}`,
      )
      return id
    },
  }
}
