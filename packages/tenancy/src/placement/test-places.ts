/** A server with places of every model for the kit's tests: a schema of pooled tables, and rights to make schemas and databases. */
import { randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { migrateLifecycle } from '../lifecycle/tables.ts'
import { postgres } from '../postgres/driver.ts'
import { postgresDriver } from '../postgres/postgres-js.ts'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import type { Tx } from '../postgres/transaction.ts'
import { makeMovable } from './movable.ts'
import type { MoveOptions } from './move.ts'
import { createPlacedDatabase, type PlacedDatabase } from './placed-database.ts'
import { createPlacements, type Placement, type Placements, placementFor } from './placement.ts'
import {
  createProvisioning,
  type Provisioning,
  type ProvisioningOptions,
  type SiloLogin,
  siloLogin,
} from './provisioning.ts'

export interface TestPlaces {
  database: TestDatabase
  /** The schema of the control plane's tables. */
  control: string
  provisioning: Provisioning
  provisioningOptions: ProvisioningOptions
  /** As the owner of the application's tables, in this place; search_path is where they are. */
  openOwner(placement: Placement): Sql
  /** A connection to a silo, as its own role or as somebody else. */
  openSilo(database: string, as?: SiloLogin): Sql
  /** Who serves the pool. */
  applicationLogin: SiloLogin
  moving: MoveOptions
  /** Registers a tenant and makes its place. */
  settle(tenantId: string, model: Placement['model']): Promise<Placement>
  placements: Placements
  placed: PlacedDatabase<Tx>
  close(): Promise<void>
}

export interface TestPlacesOptions {
  migrate: ProvisioningOptions['migrate']
  poolConnections?: number
  /** To silos. */
  maxConnections?: number
  maxPerDatabase?: number
  patienceSeconds?: number
}

export async function startTestPlaces(options: TestPlacesOptions): Promise<TestPlaces> {
  const database = await startTestDatabase(options.poolConnections)
  const { owner, application, applicationRole, schema } = database
  const connections = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}') as Record<string, string>
  const control = `${schema}_control`
  await migrateLifecycle(owner, { schema: control, role: applicationRole })
  await options.migrate(owner, schema, applicationRole)
  await makeMovable(owner, { schema })
  const { administrator: administratorUrl } = connections
  if (!administratorUrl)
    throw new Error('TENANTRY_TEST_DATABASE has no "administrator"; run the test through npm test.')
  const administrator = postgres(administratorUrl, { max: 1, onnotice: () => {} }) as unknown as Sql
  const login = siloLogin(randomBytes(32))
  const pools: Sql[] = []
  const connect = (url: string, name: string | undefined, changes: object, search: string): Sql => {
    const at = new URL(url)
    if (name) at.pathname = `/${name}`
    const options = { max: 4, onnotice: () => {}, connection: { search_path: search }, ...changes }
    return postgres(at.href, options) as unknown as Sql
  }
  const open = (...to: Parameters<typeof connect>): Sql => {
    const sql = connect(...to)
    pools.push(sql)
    return sql
  }
  const provisioningOptions: ProvisioningOptions = {
    owner,
    applicationRole,
    migrate: options.migrate,
    movable: true,
    silos: { administrator, login, schema, openOwner: (name) => open(connections.owner!, name, { max: 1 }, schema) },
  }
  const { provision, deprovision } = createProvisioning(provisioningOptions)
  const made = new Map<string, () => Promise<void>>()
  const provisioning: Provisioning = {
    deprovision,
    async provision(tenantId, placement) {
      made.set(`${placement.model} ${tenantId}`, () => deprovision(tenantId, placement))
      await provision(tenantId, placement)
    },
  }
  const placements = await createPlacements({ sql: application, schema: control })
  const { username, password: applicationPassword } = new URL(connections.application!)
  const applicationLogin = { role: decodeURIComponent(username), password: decodeURIComponent(applicationPassword) }
  const toSilo = (name: string, { role, password } = login(name.slice('tenant_'.length))) =>
    [connections.application!, name, { max: 1, username: role, user: role, password }, schema] as const
  const openSilo = (name: string, as?: SiloLogin): Sql => open(...toSilo(name, as))
  const placed = createPlacedDatabase({
    placements,
    pool: postgresDriver(application),
    schemas: [schema],
    silos: {
      maxConnections: options.maxConnections ?? 8,
      ...(options.maxPerDatabase ? { maxPerDatabase: options.maxPerDatabase } : {}),
      ...(options.patienceSeconds ? { patienceSeconds: options.patienceSeconds } : {}),
      // Closed by those who ask for it, again and again.
      open: (name) => postgresDriver(connect(...toSilo(name))),
    },
  })
  const openOwner = (placement: Placement): Sql =>
    open(
      connections.owner!,
      placement.model === 'silo' ? placement.database : undefined,
      {},
      placement.model === 'bridge' ? placement.schema : schema,
    )
  return {
    moving: { control: owner, controlSchema: control, openOwner, schema },
    database,
    control,
    provisioning,
    provisioningOptions,
    placements,
    placed,
    openSilo,
    applicationLogin,
    openOwner,
    async settle(tenantId, model) {
      const placement = placementFor(model, tenantId)
      await provisioning.provision(tenantId, placement)
      await owner`
        insert into ${owner(control)}.tenants (tenant, state, tier, placement)
        values (${tenantId}, 'active', ${model}, ${owner.json(placement)})`
      return placement
    },
    async close() {
      await placements.close()
      await placed.end()
      await Promise.all(pools.map((pool) => pool.end({ timeout: 2 })))
      await Promise.all(Array.from(made.values(), (remove) => remove()))
      await administrator.end({ timeout: 2 })
      await owner`drop schema ${owner(control)} cascade`
      await database.close()
    },
  }
}
