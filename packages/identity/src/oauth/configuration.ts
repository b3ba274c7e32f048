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
import { isSelfRegistered } from '../resources/clients/third-party.ts'
import { canonicalAudience } from '../resources/management-api.ts'
import { ACCOUNT_CLIENT_ID } from './account-client.ts'
import { mfaApi, mfaAudience } from './mfa/mfa-api.ts'
import { hasOrganizationName, isListed } from './organization-address.ts'
import * as store from './store.ts'

/** A key that a client signs its assertions with. */
export interface AssertionKey extends Omit<store.AssertionKeyRow, 'public_key'> {
  key: KeyObject
}

export interface Client extends Omit<store.ClientRow, 'client_secret' | 'assertion_keys' | 'request_keys'> {
  /** In clear, in memory only; undefined for public clients. */
  secret: string | undefined
  assertionKeys: AssertionKey[]
  requestKeys: AssertionKey[]
}

export type { ClientGrant, Connection, OrganizationConfiguration, ResourceServer } from './store.ts'

export interface Configuration {
  client(environmentId: string, clientId: string): Promise<Client | undefined>
  /** Whether `client` answers from memory. Only of clients that exist: others are looked for each time. */
  isAtHand(environmentId: string, clientId: string): boolean
  /** Looks in vain, as for a client that there is not. */
  lookForNobody(environmentId: string): Promise<void>
  /** Any alias of the Management API finds it. */
  resourceServer(environment: RequestEnvironment, audience: string): Promise<store.ResourceServer | undefined>
  /** The same, as far as it is open to a client: one that registered itself needs a grant for people. */
  apiFor(
    environment: RequestEnvironment,
    client: { client_id: string },
    audience: string,
  ): Promise<store.ResourceServer | undefined>
  clientGrant(
    environment: RequestEnvironment,
    clientId: string,
    audience: string,
    /** What the client may do on its own, or for people. */
    subjectType?: 'client' | 'user',
  ): Promise<store.ClientGrant | undefined>
  organization(environmentId: string, idOrName: string): Promise<store.OrganizationConfiguration | undefined>
  /** The organization that has verified an e-mail domain and wants to be found by it. */
  organizationOfDomain(environmentId: string, domain: string): Promise<store.OrganizationConfiguration | undefined>
  /** Connections that may sign people in: of the client and, if one is named, of the organization. */
  connections(environmentId: string, clientId: string, organizationId: string | undefined): Promise<store.Connection[]>
  /** Whether any client of the environment lists this browser origin. */
  isBrowserOrigin(environmentId: string, origin: string): Promise<boolean>
}

const keysOf = (rows: store.AssertionKeyRow[] | null): AssertionKey[] =>
  (rows ?? []).map(({ public_key, ...key }) => ({ ...key, key: createPublicKey(public_key) }))

export function createConfiguration(deps: {
  database: Database
  cache: ConfigurationCache
  secrets: Secrets
}): Configuration {
  const { database, cache, secrets } = deps
  const remember = <T>(environmentId: string, key: string[], load: () => Promise<T | undefined>) =>
    cache.remember(environmentId, key, load)

  const organization: Configuration['organization'] = (environmentId, idOrName) =>
    remember(
      environmentId,
      ['organization', idOrName],
      async () => (await database.once(environmentId, (tx) => store.organization(tx, idOrName)))[0],
    )

  const resourceServer: Configuration['resourceServer'] = async (environment, audience) =>
    (audience === mfaAudience(environment) ? mfaApi(environment) : undefined) ??
    remember(environment.id, ['resource-server', audience], async () => {
      const identifier = canonicalAudience(environment, audience)
      return (await database.once(environment.id, (tx) => store.resourceServer(tx, identifier)))[0]
    })

  const clientGrant: Configuration['clientGrant'] = (environment, clientId, audience, type = 'client') =>
    remember(environment.id, ['client-grant', type, clientId, audience], async () => {
      const identifier = canonicalAudience(environment, audience)
      return (await database.once(environment.id, (tx) => store.clientGrant(tx, clientId, identifier, type)))[0]
    })

  return {
    client: (environmentId, clientId) =>
      remember(environmentId, ['client', clientId], async () => {
        const [row] = await database.once(environmentId, (tx) => store.client(tx, clientId))
        if (!row) return undefined
        const { client_secret: sealed, assertion_keys, request_keys, ...rest } = row
        return {
          ...rest,
          assertionKeys: keysOf(assertion_keys),
          requestKeys: keysOf(request_keys),
          secret: sealed ? openSecret(secrets, environmentId, clientId, sealed) : undefined,
        }
      }),
    isAtHand: (environmentId, clientId) => cache.has(environmentId, ['client', clientId]),
    lookForNobody: async (environmentId) => {
      await database.once(environmentId, (tx) => store.client(tx, ''))
    },
    resourceServer,
    apiFor: async (environment, client, audience) => {
      const api = await resourceServer(environment, audience)
      if (!api || !isSelfRegistered(client)) return api
      const grant = await clientGrant(environment, client.client_id, audience, 'user')
      return grant && { ...api, ...(grant.allow_all_scopes ? {} : { granted: grant.scope }) }
    },
    clientGrant,
    organization,
    organizationOfDomain: async (environmentId, domain) => {
      const found = await remember(
        environmentId,
        ['domain', domain],
        async () => (await database.once(environmentId, (tx) => store.organizationOfDomain(tx, domain)))[0],
      )
      return found && organization(environmentId, found.organization_id)
    },
    connections: async (environmentId, clientId, organizationId) =>
      (await remember(environmentId, ['connections', clientId, organizationId ?? ''], () =>
        database.once(environmentId, (tx) =>
          store.connections(tx, clientId === ACCOUNT_CLIENT_ID ? undefined : clientId, organizationId),
        ),
      )) ?? [],
    isBrowserOrigin: async (environmentId, origin) => {
      const origins = await remember(environmentId, ['browser-origins'], async () => {
        const rows = await database.once(environmentId, (tx) => store.browserOrigins(tx))
        const listed = rows.map(({ origin }) => origin)
        const named = listed.filter(hasOrganizationName)
        return { plain: new Set(listed.filter((each) => !named.includes(each))), named }
      })
      const { plain, named } = origins!
      return plain.has(origin) || isListed({ organization }, environmentId, named, origin)
    },
  }
}
