/**
 * Stockroom, put together: four services over one database, and the web app's server. It uses nothing of the platform
 * but what any customer has: the published kit, the Management API through its SDK, and HTTP.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import {
  backgroundIdentity,
  createAuthenticator,
  createVerifier,
  type TenantLifeOptions,
  withIdentity,
} from '@tenantry/tenancy'
import { tenantRoute } from '@tenantry/tenancy/fastify'
import type { FastifyInstance } from 'fastify'
import { type DatabaseOptions, openDatabase } from './database/database.ts'
import { archiveSink, removeArchives } from './exports/archive.ts'
import { internalClient, type Logger } from './http.ts'
import { createItems } from './items/server.ts'
import { identityPlane } from './life/identity-plane.ts'
import { type LifeSettings, openLife } from './life/life.ts'
import { createManagement, type ManagementOptions } from './management.ts'
import { openPlaces } from './places/places.ts'
import { openProvisioning } from './places/provisioning.ts'
import { createRegistration } from './registration/server.ts'
import { holdingOf, requireRoom } from './settings/holding.ts'
import { createTenants } from './tenants/server.ts'
import * as directory from './tenants/store.ts'
import { PLANS, tierOf } from './tenants/tiers.ts'
import type { RoleName } from './users/roles.ts'
import { createUsers } from './users/server.ts'
import { createWeb, type WebOptions } from './web/server.ts'

export type ServiceName = 'registration' | 'tenants' | 'users' | 'items' | 'web'

export interface StockroomOptions {
  database: DatabaseOptions
  /** Exactly as in the tokens; several when the issuer has several domains. */
  issuer: string | readonly string[]
  apiAudience: string
  /** The claim that carries the tenant's id in access tokens. */
  tenantClaim: string
  /** The claim that carries its tier. What a tenant has is decided by the directory; the token's word is for display. */
  tierClaim?: string
  management: ManagementOptions
  /** How keys of the issuer are fetched; the platform's if left out. */
  fetch?: typeof fetch
  /** Where tenants' users are kept. */
  connection: { id: string; name: string }
  spaClientId: string
  /** Names or ids of the roles at the issuer; `admin` is what a tenant's first user gets. */
  roles: Record<RoleName, string>
  settings?: Partial<LifeSettings> & {
    /** Refuses to register a second tenant with the address of somebody who is in one. */
    usersBelongToOneTenant?: boolean
    registrationsPerEmailAndHour?: number
    registrationsPerAddressAndHour?: number
  }
  /** The web app is served only if this is given. */
  web?: Omit<WebOptions, 'plans'>
  logger: Logger
  now?: () => Date
  host?: string
  /** 0 or nothing: any free port. */
  ports?: Partial<Record<ServiceName, number>>
}

export interface Stockroom {
  listen(): Promise<Record<ServiceName, string>>
  /** Without a port: for functions, which get requests as events. */
  readonly services: Record<Exclude<ServiceName, 'web'>, FastifyInstance>
  /** What nobody waits for (see `Life`); while it listens it does so by itself. */
  upkeep(): Promise<void>
  /** Where the services answer; empty texts before `listen`. */
  readonly urls: Record<ServiceName, string>
  close(): Promise<void>
}

export async function createStockroom(options: StockroomOptions): Promise<Stockroom> {
  const { logger, settings = {}, host = '127.0.0.1' } = options
  const now = options.now ?? (() => new Date())
  const database = await openDatabase(options.database)
  const { sql } = database
  const management = createManagement(options.management)
  const verifierOf = (audience: string) =>
    createVerifier({
      issuer: options.issuer,
      audience,
      now,
      ...(options.fetch ? { fetch: options.fetch } : {}),
    })
  const authenticate = createAuthenticator({
    verifier: verifierOf(options.apiAudience),
    tenantClaim: options.tenantClaim,
    ...(options.tierClaim ? { tierClaim: options.tierClaim, tiers: PLANS } : {}),
  })
  // Made anew at each start and never written down: only the services of this process talk to each other.
  const internalKey = randomBytes(32).toString('base64url')
  const urls: Record<ServiceName, string> = { registration: '', tenants: '', users: '', items: '', web: '' }

  // Behind a port they speak HTTP with each other, as they would as programs of their own.
  const reach = (name: 'tenants' | 'users') => () => urls[name] || services[name]
  const [tenants, users] = [internalClient(reach('tenants'), internalKey), internalClient(reach('users'), internalKey)]
  const { provisioning, silos } = openProvisioning(database)
  const plans = PLANS.filter((plan) => silos || tierOf(plan).model !== 'silo')
  const exportDays = settings.exportDays ?? 7
  const admitTier: TenantLifeOptions['admitTier'] = async ({ tenantId, tier }) => {
    const organizationId = (await directory.get(sql, tenantId))?.organizationId ?? ''
    await withIdentity(backgroundIdentity({ tenantId, reason: 'change of plan' }), async () =>
      requireRoom(tier, await holdingOf({ database: places.database, management }, organizationId)),
    )
  }
  const life = openLife({
    database,
    provisioning,
    identity: identityPlane({ tenants, users }),
    setTier: async ({ tenantId, tier }) => void (await tenants('PUT', `/tenants/${tenantId}/plan`, { plan: tier })),
    admitTier,
    exportSink: (of) => archiveSink(database.exports, of),
    deleteStorage: async (tenantId) => ({ exports: await removeArchives(database.exports, tenantId) }),
    unopenedDays: settings.unopenedDays ?? 30,
    exportDays,
    logger,
    now,
  })
  const places = await openPlaces(database, silos, life)
  const allow = (scope: string) => tenantRoute(authenticate, scope)
  const services: Stockroom['services'] & { web?: FastifyInstance } = {
    tenants: createTenants({
      sql,
      database: places.database,
      exports: database.exports,
      exportDays,
      life,
      plans,
      allow,
      idTokens: verifierOf(options.spaClientId),
      management,
      connectionId: options.connection.id,
      internalKey,
      logger,
      now,
    }),
    users: createUsers({
      allow,
      sql,
      management,
      connection: options.connection,
      spaClientId: options.spaClientId,
      roles: options.roles,
      usersBelongToOneTenant: settings.usersBelongToOneTenant ?? false,
      internalKey,
      logger,
      now,
    }),
    items: createItems({ authenticate, database: places.database, sql, logger, now }),
    registration: createRegistration({
      sql,
      lifecycle: life,
      plans,
      logger,
      now,
      limits: {
        perEmailAndHour: settings.registrationsPerEmailAndHour ?? 5,
        perAddressAndHour: settings.registrationsPerAddressAndHour ?? 100,
      },
    }),
    ...(options.web ? { web: await createWeb({ ...options.web, plans }) } : {}),
  }

  const close = async () => {
    // Callers first, so that what is under way finds those it calls.
    for (const name of ['web', 'registration', 'items'] as const) await services[name]?.close()
    await life.close()
    for (const name of ['users', 'tenants'] as const) await services[name].close()
    await places.close()
    await database.close()
  }
  return {
    urls,
    services,
    close,
    upkeep: life.upkeep,
    async listen() {
      try {
        await places.database.assertSafe()
        await database.exports.assertSafe()
        for (const [name, service] of Object.entries(services) as [ServiceName, FastifyInstance][]) {
          await service.listen({ host, port: options.ports?.[name] ?? 0 })
          urls[name] = `http://${host}:${(service.server.address() as AddressInfo).port}`
        }
        // Its sagas call the services.
        life.work()
        return urls
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}
