/**
 * Stockroom, put together: four services over one database, and the web app's server. It uses nothing of the platform
 * but what any customer has: the published kit, the Management API through its SDK, and HTTP.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createAuthenticator, createTenantDatabase, createVerifier } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import { type DatabaseOptions, openDatabase } from './database/database.ts'
import { internalClient, type Logger } from './http.ts'
import { createItems } from './items/server.ts'
import { createManagement, type ManagementOptions } from './management.ts'
import { createRegistration } from './registration/server.ts'
import { createTenants } from './tenants/server.ts'
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
  management: ManagementOptions
  /** Where tenants' users are kept. */
  connection: { id: string; name: string }
  spaClientId: string
  /** Name or id of the role of a tenant's first user. */
  adminRole: string
  settings?: {
    /** Refuses to register a second tenant with the address of somebody who is in one. */
    usersBelongToOneTenant?: boolean
    registrationsPerEmailAndHour?: number
    registrationsPerAddressAndHour?: number
  }
  /** The web app is served only if this is given. */
  web?: WebOptions
  logger: Logger
  now?: () => Date
  host?: string
  /** 0 or nothing: any free port. */
  ports?: Partial<Record<ServiceName, number>>
}

export interface Stockroom {
  listen(): Promise<Record<ServiceName, string>>
  /** Where the services answer; empty texts before `listen`. */
  readonly urls: Record<ServiceName, string>
  close(): Promise<void>
}

export async function createStockroom(options: StockroomOptions): Promise<Stockroom> {
  const { logger, settings = {}, host = '127.0.0.1' } = options
  const now = options.now ?? (() => new Date())
  const database = await openDatabase(options.database)
  const { sql } = database
  const tenantDatabase = createTenantDatabase(sql, { schemas: [database.schema] })
  const management = createManagement(options.management)
  const verifier = createVerifier({ issuer: options.issuer, audience: options.apiAudience, now })
  const authenticate = createAuthenticator({ verifier, tenantClaim: options.tenantClaim })
  // Made anew at each start and never written down: only the services of this process talk to each other.
  const internalKey = randomBytes(32).toString('base64url')
  const urls: Record<ServiceName, string> = { registration: '', tenants: '', users: '', items: '', web: '' }

  const services: Partial<Record<ServiceName, FastifyInstance>> = {
    tenants: createTenants({ sql, management, connectionId: options.connection.id, internalKey, logger, now }),
    users: createUsers({
      management,
      connection: options.connection,
      spaClientId: options.spaClientId,
      adminRole: options.adminRole,
      usersBelongToOneTenant: settings.usersBelongToOneTenant ?? false,
      internalKey,
      logger,
    }),
    items: createItems({ authenticate, database: tenantDatabase, logger, now }),
    // Last of the services, because it resumes unfinished registrations as soon as it listens.
    registration: createRegistration({
      sql,
      tenants: internalClient(() => urls.tenants, internalKey),
      users: internalClient(() => urls.users, internalKey),
      logger,
      now,
      limits: {
        perEmailAndHour: settings.registrationsPerEmailAndHour ?? 5,
        perAddressAndHour: settings.registrationsPerAddressAndHour ?? 100,
      },
    }),
    ...(options.web ? { web: await createWeb(options.web) } : {}),
  }

  const close = async () => {
    // Callers first, so that what is under way finds those it calls.
    for (const name of ['web', 'registration', 'items', 'users', 'tenants'] as const) await services[name]?.close()
    await database.close()
  }
  return {
    urls,
    close,
    async listen() {
      try {
        await tenantDatabase.assertSafe()
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
