/**
 * A tenant's life as sagas of the kit; what is the application's comes through ports.
 *
 *   register ─► registered ─ provision ─► provisioned ─ activate ─► active ⇄ suspended
 *                                                        changeTier, exportData │
 *                                    offboard (from any of them) ─► offboarding ─► gone
 *
 * Nothing is provisioned by registering: call `provision` when whoever registered has proven to be somebody. A tenant in
 * `suspended`, `offboarding` or `gone` is refused where rows are asked for as soon as processes hear of it.
 */
import type { Sql, TransactionSql } from 'postgres'
import { type MoveOptions, moveTenant } from '../placement/move.ts'
import { type Model, type Placement, placementFor } from '../placement/placement.ts'
import type { Provisioning } from '../placement/provisioning.ts'
import { type ExportSink, exportTenant } from './export.ts'
import { offboardingSteps } from './off-boarding.ts'
import { emit } from './outbox.ts'
import { LifecycleRefused } from './refusal.ts'
import type { SagaDefinition, Step } from './saga.ts'

export type TenantState = 'registered' | 'provisioned' | 'active' | 'suspended' | 'offboarding' | 'gone'

/** The tenant's organization at the issuer. Each may be called again, and finds out by the tenant's id what is there. */
export interface IdentityPlane {
  createOrganization(tenant: {
    tenantId: string
    tier: string
    facts: Record<string, unknown>
  }): Promise<{ organizationId: string }>
  /** Lets its people in, or out within the issuer's bound. */
  activateOrganization(tenant: { tenantId: string }): Promise<void>
  suspendOrganization(tenant: { tenantId: string }): Promise<void>
  /** Also when it was never made, or not by us to the end. */
  deleteOrganization(tenant: { tenantId: string }): Promise<void>
}

export interface TenantLifeOptions extends MoveOptions {
  identity: IdentityPlane
  provisioning: Provisioning
  /** Which model a tier has: your data. @throws StepRefused for a tier that there is not */
  modelOf(tier: string): Model
  /** Tells whoever goes by the tier: the metadata from which tokens take it, your limits. Called again at will, before rows move. */
  setTier?(tenant: { tenantId: string; tier: string }): Promise<void>
  /** Asked after `setTier`. @throws StepRefused when the tenant holds more than this tier allows; then the former one is set again */
  admitTier?(tenant: { tenantId: string; tier: string }): Promise<void>
  /** Files, caches and whatever else holds the tenant's data outside of the database. @returns how many were deleted, by kind */
  deleteStorage?(tenantId: string): Promise<Record<string, number>>
  /** Where an export goes; the same place for the same export. */
  exportSink(of: { tenantId: string; exportId: string }): ExportSink
  /** How long a place that a tenant has left is kept; longer than placements are remembered. */
  graceSeconds?: number
}

export interface Tenant {
  tenantId: string
  state: TenantState
  tier: string
  placement: Placement
  facts: Record<string, unknown>
}

/** @returns undefined for an id that was never given out */
export const findTenant = async (
  sql: Sql | TransactionSql,
  schema: string,
  tenantId: string,
): Promise<Tenant | undefined> =>
  (
    await sql<Tenant[]>`
      select tenant as "tenantId", state, tier, placement, facts from ${sql(schema)}.tenants where tenant = ${tenantId}`
  )[0]

/**
 * The sagas `register` (input `{ tier, facts }`), `provision`, `activate` (also to resume), `suspend`, `changeTier` (`{ tier }`),
 * `exportData` and `offboard`, for `createLifecycle`.
 *
 * @example
 * const lifecycle = createLifecycle({ sql: control, schema: 'control', sagas: tenantSagas(options) })
 * const input = { tier: 'basic', facts: { name: 'Blue Kite' } }
 * const { tenantId } = await lifecycle.run({ saga: 'register', key: 'sign-up-of-blue-kite', input })
 * await lifecycle.run({ saga: 'provision', key: `provision-${tenantId}`, tenantId, input: {} })
 * await findTenant(control, 'control', tenantId) // → { state: 'provisioned', placement: { model: 'pool' }, … }
 */
export function tenantSagas(options: TenantLifeOptions): SagaDefinition[] {
  const { control, controlSchema: schema, identity, provisioning, modelOf, graceSeconds = 600 } = options

  const get = async (sql: Sql | TransactionSql, tenantId: string): Promise<Tenant> => {
    const tenant = await findTenant(sql, schema, tenantId)
    if (!tenant) throw new LifecycleRefused('tenant_unknown', 'There is no such tenant.')
    return tenant
  }
  const require_ =
    (...states: TenantState[]) =>
    async (tx: TransactionSql, { tenantId }: { tenantId: string }): Promise<void> => {
      const { state } = await get(tx, tenantId)
      if (states.includes(state)) return
      throw new LifecycleRefused('tenant_state', `This tenant is ${state}; it would have to be ${states.join(' or ')}.`)
    }
  const set = async (
    tx: TransactionSql,
    tenantId: string,
    change: Partial<Omit<Tenant, 'tenantId'>>,
  ): Promise<void> => {
    const { placement, facts, ...texts } = change
    await tx`
      update ${tx(schema)}.tenants set ${tx({
        ...texts,
        ...(placement ? { placement: tx.json(placement as never) as never } : {}),
        ...(facts ? { facts: tx.json(facts as never) as never } : {}),
      })}, changed_at = clock_timestamp()
      where tenant = ${tenantId}`
  }

  const register: SagaDefinition<{ tier: string; facts?: Record<string, unknown> }> = {
    name: 'register',
    events: { begins: 'onboardingRequest', fails: 'onboardingFailure' },
    detail: ({ input }) => ({ tier: input.tier }),
    async begin(tx, { tenantId, input }) {
      const made = await tx`
        insert into ${tx(schema)}.tenants (tenant, state, tier, placement, facts)
        values (${tenantId}, 'registered', ${input.tier}, '{"model":"pool"}', ${tx.json((input.facts ?? {}) as never)})
        on conflict do nothing`
      if (made.count === 0) throw new LifecycleRefused('tenant_id_used', 'This id belongs to a tenant, or did once.')
    },
    steps: [
      {
        name: 'organization',
        async run({ tenantId, input }) {
          modelOf(input.tier)
          const { tier, facts = {} } = input
          return { ...(await identity.createOrganization({ tenantId, tier, facts })) }
        },
        compensate: ({ tenantId }) => identity.deleteOrganization({ tenantId }),
        async record(tx, { tenantId, input, memory }) {
          await set(tx, tenantId, { facts: { ...input.facts, organizationId: memory.organizationId } })
        },
      },
    ],
    failed: (tx, { tenantId }) => set(tx, tenantId, { state: 'gone', facts: {} }),
  }

  const provision: SagaDefinition = {
    name: 'provision',
    begin: require_('registered'),
    events: { fails: 'provisionFailure' },
    steps: [
      {
        name: 'place',
        event: 'provisionSuccess',
        async run({ tenantId }) {
          const placement = placementFor(modelOf((await get(control, tenantId)).tier), tenantId)
          await provisioning.provision(tenantId, placement)
          return { placement }
        },
        async compensate({ tenantId }) {
          await provisioning.deprovision(tenantId, placementFor(modelOf((await get(control, tenantId)).tier), tenantId))
        },
        record: (tx, { tenantId, memory }) =>
          set(tx, tenantId, { state: 'provisioned', placement: memory.placement as Placement }),
      },
    ],
  }

  const activate: SagaDefinition = {
    name: 'activate',
    begin: require_('provisioned', 'suspended'),
    events: { begins: 'activateRequest', ends: 'activateSuccess', fails: 'activateFailure' },
    steps: [
      {
        name: 'open',
        run: async ({ tenantId }) => identity.activateOrganization({ tenantId }),
        compensate: ({ tenantId }) => identity.suspendOrganization({ tenantId }),
        async record(tx, { id, tenantId }) {
          const { state } = await get(tx, tenantId)
          await set(tx, tenantId, { state: 'active' })
          // The first time, everything that was asked for at the registration is there.
          if (state !== 'provisioned') return
          await emit(tx, schema, {
            tenantId,
            name: 'onboardingSuccess',
            detail: { tenantId },
            cause: `${id} onboarded`,
          })
        },
      },
    ],
  }

  const suspend: SagaDefinition = {
    name: 'suspend',
    begin: require_('active'),
    events: { begins: 'deactivateRequest', ends: 'deactivateSuccess', fails: 'deactivateFailure' },
    steps: [
      {
        name: 'data',
        record: (tx, { tenantId }) => set(tx, tenantId, { state: 'suspended' }),
        unrecord: (tx, { tenantId }) => set(tx, tenantId, { state: 'active' }),
      },
      {
        name: 'people',
        run: async ({ tenantId }) => identity.suspendOrganization({ tenantId }),
        compensate: ({ tenantId }) => identity.activateOrganization({ tenantId }),
      },
    ],
  }

  const changeTier: SagaDefinition<{ tier: string }> = {
    name: 'changeTier',
    begin: require_('provisioned', 'active', 'suspended'),
    events: { begins: 'tierChangeRequest', ends: 'tierChangeSuccess', fails: 'tierChangeFailure' },
    detail: ({ input }) => ({ tier: input.tier }),
    steps: [
      {
        name: 'choose',
        async run({ tenantId, input }) {
          const { placement, tier } = await get(control, tenantId)
          return { from: placement, to: placementFor(modelOf(input.tier), tenantId), formerTier: tier }
        },
      },
      {
        name: 'tier',
        async run({ tenantId, input }) {
          await options.setTier?.({ tenantId, tier: input.tier })
          // Afterwards: what is added from now on is measured by the new tier already.
          await options.admitTier?.({ tenantId, tier: input.tier })
        },
        compensate: async ({ tenantId, memory }) => options.setTier?.({ tenantId, tier: memory.formerTier as string }),
      },
      {
        name: 'destination',
        run: async ({ tenantId, memory }) => provisioning.provision(tenantId, memory.to as Placement),
        async compensate({ tenantId, memory }) {
          const { placement } = await get(control, tenantId)
          const to = memory.to as Placement
          if (placement.model !== to.model) await provisioning.deprovision(tenantId, to)
        },
      },
      {
        name: 'move',
        async run({ tenantId, memory }) {
          const { tables, replayed, blockedMilliseconds } = await moveTenant(options, tenantId, memory.to as Placement)
          return { moved: { tables, replayed, blockedMilliseconds } }
        },
        compensate: async ({ tenantId, memory }) =>
          void (await moveTenant(options, tenantId, memory.from as Placement)),
        async record(tx, { tenantId, input, memory }) {
          const { from, to } = memory as { from: Placement; to: Placement }
          await set(tx, tenantId, { tier: input.tier })
          if (from.model === to.model) return
          await tx`
            insert into ${tx(schema)}.departures (tenant, placement, clear_after)
            values (${tenantId}, ${tx.json(from as never)}, clock_timestamp() + ${graceSeconds} * interval '1 second')
            on conflict (tenant, placement) do update set clear_after = excluded.clear_after`
        },
      },
    ],
  }

  const exportData: SagaDefinition = {
    name: 'exportData',
    begin: require_('provisioned', 'active', 'suspended'),
    events: { begins: 'exportRequest', ends: 'exportSuccess', fails: 'exportFailure' },
    steps: [
      {
        name: 'write',
        async run({ id, tenantId }) {
          const { placement } = await get(control, tenantId)
          return {
            manifest: await exportTenant(options, tenantId, placement, options.exportSink({ tenantId, exportId: id })),
          }
        },
        compensate: ({ id, tenantId }) => options.exportSink({ tenantId, exportId: id }).remove(),
      },
    ],
  }

  const offboard: SagaDefinition = {
    name: 'offboard',
    async begin(tx, saga) {
      await require_('registered', 'provisioned', 'active', 'suspended')(tx, saga)
      // From here on nobody reads or writes for it.
      await set(tx, saga.tenantId, { state: 'offboarding' })
    },
    events: { begins: 'offboardingRequest', ends: 'offboardingSuccess' },
    steps: offboardingSteps(options) as [Step<Record<string, unknown>>, ...Step<Record<string, unknown>>[]],
  }
  return [
    register as SagaDefinition,
    provision,
    activate,
    suspend,
    changeTier as SagaDefinition<never> as SagaDefinition,
    exportData,
    offboard,
  ]
}
