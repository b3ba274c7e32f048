/**
 * Stockroom, put together: four services over one database, and the web app's server. It uses nothing of the platform
 * but what any customer has: the published kit, the Management API through its SDK, and HTTP.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createAuthenticator, createVerifier } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import { type DatabaseOptions, openDatabase } from './database/database.ts'
import { internalClient, type Logger } from './http.ts'
import { createItems } from './items/server.ts'
import { createManagement, type ManagementOptions } from './management.ts'
import { openPlaces } from './places/places.ts'
import { resumeUnfinished } from './registration/saga.ts'
import { createRegistration } from './registration/server.ts'
import { createTenants } from './tenants/server.ts'
import { PLANS } from './tenants/tiers.ts'
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
  settings?: {
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
  /** Goes on with what crashes left behind, and tells the events that wait; while it listens it does so by itself. */
  resume(): Promise<void>
  /** Where the services answer; empty texts before `listen`. */
  readonly urls: Record<ServiceName, string>
  close(): Promise<void>
}

export async function createStockroom(options: StockroomOptions): Promise<Stockroom> {
  const { logger, settings = {}, host = '127.0.0.1' } = options
  const now = options.now ?? (() => new Date())
  const database = await openDatabase(options.database)
  const { sql } = database
  const places = await openPlaces(database, logger)
  const management = createManagement(options.management)
  const verifier = createVerifier({
    issuer: options.issuer,
    audience: options.apiAudience,
    now,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  })
  const authenticate = createAuthenticator({
    verifier,
    tenantClaim: options.tenantClaim,
    ...(options.tierClaim ? { tierClaim: options.tierClaim, tiers: PLANS } : {}),
  })
  // Made anew at each start and never written down: only the services of this process talk to each other.
  const internalKey = randomBytes(32).toString('base64url')
  const urls: Record<ServiceName, string> = { registration: '', tenants: '', users: '', items: '', web: '' }

  // Behind a port they speak HTTP with each other, as they would as programs of their own.
  const reach = (name: 'tenants' | 'users') => () => urls[name] || services[name]
  const registering = {
    sql,
    tenants: internalClient(reach('tenants'), internalKey),
    users: internalClient(reach('users'), internalKey),
    logger,
    now,
  }
  const services: Stockroom['services'] & { web?: FastifyInstance } = {
    tenants: createTenants({ sql, management, connectionId: options.connection.id, internalKey, logger, now }),
    users: createUsers({
      authenticate,
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
    // Last of the services, because it resumes unfinished registrations as soon as it listens.
    registration: createRegistration({
      ...registering,
      plans: places.plans,
      limits: {
        perEmailAndHour: settings.registrationsPerEmailAndHour ?? 5,
        perAddressAndHour: settings.registrationsPerAddressAndHour ?? 100,
      },
    }),
    ...(options.web ? { web: await createWeb({ ...options.web, plans: places.plans }) } : {}),
  }

  const close = async () => {
    // Callers first, so that what is under way finds those it calls.
    for (const name of ['web', 'registration', 'items', 'users', 'tenants'] as const) await services[name]?.close()
    await places.close()
    await database.close()
  }
  return {
    urls,
    services,
    close,
    async resume() {
      await resumeUnfinished(registering)
      await places.resume()
    },
    async listen() {
      try {
        await places.database.assertSafe()
        for (const [name, service] of Object.entries(services) as [ServiceName, FastifyInstance][]) {
          await service.listen({ host, port: options.ports?.[name] ?? 0 })
          urls[name] = `http://${host}:${(service.server.address() as AddressInfo).port}`
        }
        return urls
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}
