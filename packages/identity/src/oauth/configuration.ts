/**
 * Configuration as the protocol reads it: cached, and announced anew after each change. Who is a member, who is blocked
 * and which token was used is never read through here.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ConfigurationCache } from '../configuration-cache.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import { openSecret } from '../resources/clients/store.ts'
import { canonicalAudience } from '../resources/management-api.ts'
import * as store from './store.ts'

/** A key that a client signs its assertions with. */
export interface AssertionKey extends Omit<store.AssertionKeyRow, 'public_key'> {
  key: KeyObject
}

export interface Client extends Omit<store.ClientRow, 'client_secret' | 'assertion_keys'> {
  /** In clear, in memory only; undefined for public clients. */
  secret: string | undefined
  assertionKeys: AssertionKey[]
}

export type { ClientGrant, Connection, OrganizationConfiguration, ResourceServer } from './store.ts'

export interface Configuration {
  client(environmentId: string, clientId: string): Promise<Client | undefined>
  /** Any alias of the Management API finds it. */
  resourceServer(environment: RequestEnvironment, audience: string): Promise<store.ResourceServer | undefined>
  clientGrant(
    environment: RequestEnvironment,
    clientId: string,
    audience: string,
  ): Promise<store.ClientGrant | undefined>
  organization(environmentId: string, idOrName: string): Promise<store.OrganizationConfiguration | undefined>
  /** Connections that may sign people in: of the client and, if one is named, of the organization. */
  connections(environmentId: string, clientId: string, organizationId: string | undefined): Promise<store.Connection[]>
  /** Whether any client of the environment lists this browser origin. */
  isBrowserOrigin(environmentId: string, origin: string): Promise<boolean>
}

export function createConfiguration(deps: {
  database: Database
  cache: ConfigurationCache
  secrets: Secrets
}): Configuration {
  const { database, cache, secrets } = deps
  const remember = <T>(environmentId: string, key: string[], load: () => Promise<T | undefined>) =>
    cache.remember(environmentId, key, load)

  return {
    client: (environmentId, clientId) =>
      remember(environmentId, ['client', clientId], async () => {
        const [row] = await database.once(environmentId, (tx) => store.client(tx, clientId))
        if (!row) return undefined
        const { client_secret: sealed, assertion_keys: keys, ...rest } = row
        const assertionKeys = (keys ?? []).map(({ public_key, ...key }) => ({
          ...key,
          key: createPublicKey(public_key),
        }))
        return {
          ...rest,
          assertionKeys,
          secret: sealed ? openSecret(secrets, environmentId, clientId, sealed) : undefined,
        }
      }),
    resourceServer: (environment, audience) =>
      remember(environment.id, ['resource-server', audience], async () => {
        const identifier = canonicalAudience(environment, audience)
        return (await database.once(environment.id, (tx) => store.resourceServer(tx, identifier)))[0]
      }),
    clientGrant: (environment, clientId, audience) =>
      remember(environment.id, ['client-grant', clientId, audience], async () => {
        const identifier = canonicalAudience(environment, audience)
        return (await database.once(environment.id, (tx) => store.clientGrant(tx, clientId, identifier)))[0]
      }),
    organization: (environmentId, idOrName) =>
      remember(
        environmentId,
        ['organization', idOrName],
        async () => (await database.once(environmentId, (tx) => store.organization(tx, idOrName)))[0],
      ),
    connections: async (environmentId, clientId, organizationId) =>
      (await remember(environmentId, ['connections', clientId, organizationId ?? ''], () =>
        database.once(environmentId, (tx) => store.connections(tx, clientId, organizationId)),
      )) ?? [],
    isBrowserOrigin: async (environmentId, origin) => {
      const origins = await remember(
        environmentId,
        ['browser-origins'],
        async () =>
          new Set((await database.once(environmentId, (tx) => store.browserOrigins(tx))).map((row) => row.origin)),
      )
      return origins?.has(origin) ?? false
    },
  }
}
