/**
 * Where tenants' rows are: shared tables, a schema or a database of their own, as their tier says. A place is made when
 * somebody of the tenant comes for the first time with a token, and not before: to get one they have opened the invitation,
 * so the address is proven, and a thousand registrations of nobody cost no schema and no database.
 */
import {
  createLifecycle,
  createPlacedDatabase,
  createPlacements,
  createProvisioning,
  currentIdentity,
  type DispatchOptions,
  dispatchEvents,
  type Placement,
  placementFor,
  postgresDriver,
  type SagaDefinition,
  siloLogin,
  startDispatcher,
  type TenantDatabase,
  TenantUnavailable,
} from '@tenantry/tenancy'
import { type Database, migrateTenant, type SiloOptions } from '../database/database.ts'
import type { Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import * as directory from '../tenants/store.ts'
import { PLANS, type Plan, tierOf } from '../tenants/tiers.ts'
import * as store from './store.ts'

export interface Places {
  /** Every service's way to a tenant's rows, the same for all models. */
  database: TenantDatabase
  /** The plans that can be had here: a database per tenant needs a role that may create databases. */
  plans: readonly Plan[]
  /** Goes on with what crashes left behind, and tells the events that wait. */
  resume(): Promise<void>
  close(): Promise<void>
}

/** Open connections to databases of tenants, over all of them. */
const SILO_CONNECTIONS = 20
const RESUME_MILLISECONDS = 5_000

export async function openPlaces(database: Database, logger: Logger): Promise<Places> {
  const { sql, owner, schema, controlSchema } = database
  const placements = await createPlacements({ sql, schema: controlSchema })
  const silos = database.silos && siloConnections(database.silos, schema)
  const provisioning = createProvisioning({
    owner,
    applicationRole: database.applicationRole,
    migrate: migrateTenant,
    ...(silos ? { silos: silos.provisioning } : {}),
  })
  const placed = createPlacedDatabase({
    placements,
    pool: postgresDriver(sql),
    schemas: [schema],
    ...(silos ? { silos: silos.connections } : {}),
  })
  const lifecycle = createLifecycle({
    sql: owner,
    schema: controlSchema,
    sagas: [provisioningSaga(provisioning, controlSchema)],
    onError: (error, { saga, step, tenantId }) =>
      logger.error({ error, saga, step, tenantId }, 'a step failed for now'),
  })
  const outbox: DispatchOptions = {
    sql: owner,
    schema: controlSchema,
    deliver: async ({ name, source, tenantId, detail }) =>
      logger.info({ name, source, tenantId, detail }, 'tenant event'),
  }
  const dispatcher = startDispatcher(outbox)
  const resuming = setInterval(() => {
    lifecycle.resume().catch((error: unknown) => logger.error({ error }, 'resuming failed'))
  }, RESUME_MILLISECONDS)
  resuming.unref()

  /** @returns false for whoever is in no tenant that may have a place */
  async function makePlace(): Promise<boolean> {
    const { tenantId, organizationId } = currentIdentity()
    const tenant = await directory.get(sql, tenantId)
    if (tenant?.state !== 'active' || !organizationId || tenant.organizationId !== organizationId) return false
    // The plan is the directory's: what the token says of it may be of yesterday.
    const saga = await lifecycle.run({
      saga: 'provisioning',
      key: `the-place-of-${tenantId}`,
      tenantId,
      input: { plan: tenant.plan },
    })
    if (saga.state !== 'done') {
      throw new Refusal(503, 'place_not_ready', 'Your company’s place is being made. Try again in a moment.')
    }
    placements.forget(tenantId)
    return true
  }

  return {
    plans: PLANS.filter((plan) => silos || tierOf(plan).model !== 'silo'),
    database: {
      assertSafe: placed.assertSafe,
      async inTenant(work) {
        try {
          return await placed.inTenant(work)
        } catch (error) {
          // Nothing was written: the place is looked up before the work begins.
          const first = error instanceof TenantUnavailable && error.code === 'tenant_unknown'
          if (!first || !(await makePlace())) throw error
          return placed.inTenant(work)
        }
      },
    },
    async resume() {
      await lifecycle.resume()
      await dispatchEvents(outbox)
    },
    async close() {
      clearInterval(resuming)
      await dispatcher.stop()
      await placements.close()
      await placed.end()
      await silos?.close()
    },
  }
}

const provisioningSaga = (
  { provision }: ReturnType<typeof createProvisioning>,
  controlSchema: string,
): SagaDefinition<{ plan: string }> => {
  const placementOf = (tenantId: string, plan: string): Placement => placementFor(tierOf(plan).model, tenantId)
  return {
    name: 'provisioning',
    steps: [
      {
        name: 'place',
        // Tried until it succeeds: somebody is waiting, and a place half made is completed, not taken away.
        irreversible: true,
        run: ({ tenantId, input }) => provision(tenantId, placementOf(tenantId, input.plan)),
        record: (tx, { tenantId, input }) =>
          store.addTenant(tx, controlSchema, {
            tenantId,
            tier: input.plan,
            placement: placementOf(tenantId, input.plan),
          }),
        event: 'provisionSuccess',
      },
      {
        name: 'activate',
        record: (tx, { tenantId }) => store.activate(tx, controlSchema, tenantId),
        event: 'activateSuccess',
      },
    ],
    events: { ends: 'onboardingSuccess' },
    detail: ({ input }) => ({ tier: input.plan, model: tierOf(input.plan).model }),
  }
}

/** Each database has a role of its own, whose password comes out of one secret. */
function siloConnections({ secret, administrator, openOwner, openRole }: SiloOptions, schema: string) {
  const login = siloLogin(Buffer.from(secret, 'base64url'))
  return {
    provisioning: { administrator, openOwner, login, schema },
    connections: {
      maxConnections: SILO_CONNECTIONS,
      // Named by `placementFor`; its role has the same name.
      open: (name: string) => postgresDriver(openRole(name, login(name.replace(/^tenant_/, '')))),
    },
    close: () => administrator.end({ timeout: 5 }),
  }
}
