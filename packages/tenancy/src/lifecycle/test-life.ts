/**
 * Tenants' lives over real places, with an issuer and a file store that are tables, so that several processes share them. Run as a
 * program, it takes one saga until it is killed.
 */
import { pathToFileURL } from 'node:url'
import type { Sql } from 'postgres'
import type { Placement } from '../placement/placement.ts'
import { createProvisioning, type ProvisioningOptions, siloLogin } from '../placement/provisioning.ts'
import { migrateStock } from '../placement/test-stock.ts'
import { postgres } from '../postgres/driver.ts'
import { directorySink } from './export.ts'
import { StepRefused } from './refusal.ts'
import { createLifecycle, type Lifecycle, type SagaDefinition } from './saga.ts'
import { type TenantLifeOptions, tenantSagas } from './tenant-life.ts'

export interface LifeSettings {
  /** The schema of the pooled tables, and of the control plane's. */
  schema: string
  control: string
  applicationRole: string
  /** Where exports go. */
  directory: string
  /** Another database than that of the tests, with other tables. */
  urls?: { owner: string; administrator: string }
  migrate?: ProvisioningOptions['migrate']
}

export interface Life {
  options: TenantLifeOptions
  lifecycle: Lifecycle
  sagas: SagaDefinition[]
  sql: Sql
  close(): Promise<void>
}

export const lifeTables = `
  create table organizations (tenant text primary key, state text not null, tier text);
  create table files (tenant text, name text, primary key (tenant, name));`

export const SILO_SECRET = Buffer.alloc(32, 7)
const TIERS = { basic: 'pool', premium: 'bridge', platinum: 'silo' } as const

export function openLife(settings: LifeSettings, change = (saga: SagaDefinition): SagaDefinition => saga): Life {
  const { urls = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}'), migrate = migrateStock } = settings
  const open = (url: string, max: number, database?: string, search = settings.control): Sql => {
    const at = new URL(url)
    if (database) at.pathname = `/${database}`
    return postgres(at.href, { max, onnotice: () => {}, connection: { search_path: search } }) as unknown as Sql
  }
  const [sql, administrator] = [open(urls.owner, 4), open(urls.administrator, 1)]
  const { schema, control, applicationRole, directory } = settings
  const openOwner = (placement: Placement): Sql =>
    open(urls.owner, 2, placement.model === 'silo' ? placement.database : undefined)
  const options: TenantLifeOptions = {
    control: sql,
    controlSchema: control,
    schema,
    openOwner,
    graceSeconds: 0,
    provisioning: createProvisioning({
      owner: sql,
      applicationRole,
      migrate,
      movable: true,
      silos: {
        administrator,
        schema,
        login: siloLogin(SILO_SECRET),
        openOwner: (database) => openOwner({ model: 'silo', database }),
      },
    }),
    identity: {
      async createOrganization({ tenantId, tier, facts }) {
        if (facts.name === 'taken') throw new StepRefused('name_taken', 'This name is taken.')
        await sql`insert into organizations values (${tenantId}, 'new', ${tier}) on conflict do nothing`
        return { organizationId: `org_${tenantId}` }
      },
      async activateOrganization({ tenantId }) {
        await sql`update organizations set state = 'active' where tenant = ${tenantId}`
      },
      async suspendOrganization({ tenantId }) {
        await sql`update organizations set state = 'suspended' where tenant = ${tenantId}`
      },
      async deleteOrganization({ tenantId }) {
        await sql`delete from organizations where tenant = ${tenantId}`
      },
    },
    modelOf(tier) {
      const model = TIERS[tier as keyof typeof TIERS]
      if (!model) throw new StepRefused('tier_unknown', 'There is no such tier.', 422)
      return model
    },
    async setTier({ tenantId, tier }) {
      await sql`update organizations set tier = ${tier} where tenant = ${tenantId}`
    },
    async admitTier({ tenantId, tier }) {
      const { count } = await sql`select from files where tenant = ${tenantId} and name like 'large%'`
      if (tier === 'basic' && count > 0) throw new StepRefused('tier_too_small', 'That is too much for this tier.')
    },
    deleteStorage: async (tenantId) => ({ files: (await sql`delete from files where tenant = ${tenantId}`).count }),
    exportSink: ({ exportId }) => directorySink(`${directory}/${exportId}`),
  }
  const sagas = tenantSagas(options)
  return {
    options,
    sql,
    sagas,
    lifecycle: createLifecycle({
      sql,
      schema: control,
      sagas: sagas.map(change),
      retryDelaySeconds: () => 0,
      maxAttempts: 3,
    }),
    async close() {
      await Promise.all([sql.end({ timeout: 2 }), administrator.end({ timeout: 2 })])
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { killing } = await import('./test-killed.ts')
  const { settings, request, point } = JSON.parse(process.argv[2] ?? '{}')
  const life = openLife(settings, (saga) => (saga.name === request.saga ? killing(saga, point) : saga))
  await life.lifecycle.run(request)
  await life.close()
}
