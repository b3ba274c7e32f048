import { randomUUID } from 'node:crypto'
import { LifecycleRefused } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import type { Life } from '../life/life.ts'
import { Refusal } from '../refusal.ts'
import { PLANS, type Plan } from '../tenants/tiers.ts'
import { ownTenant } from '../users/caller.ts'
import type { Allow } from '../users/server.ts'
import { type HoldingSources, holdingOf, requireRoom } from './holding.ts'

export interface PlanDependencies extends HoldingSources {
  sql: Sql
  allow: Allow
  life: Life
  /** Those that can be had here. */
  plans: readonly Plan[]
}

const NewPlan = Type.Object({ plan: Type.Enum(PLANS) }, { additionalProperties: false })
const Accepted = Type.Object({ plan: Type.String() }, { additionalProperties: false })

/** A change of plan moves the tenant's rows if the plans keep them differently; its people go on working meanwhile. */
export function planRoute(app: FastifyInstance, dependencies: PlanDependencies): void {
  const { sql, allow, life, plans } = dependencies

  app.put<{ Body: { plan: Plan } }>(
    '/tenant/plan',
    { ...allow('update:tenant'), schema: { body: NewPlan, response: { 200: Accepted, 202: Accepted } } },
    async (request, reply) => {
      const { plan } = request.body
      const { id: tenantId, organizationId } = await ownTenant(sql)
      if (!plans.includes(plan)) {
        throw new Refusal(422, 'plan_unavailable', 'This plan cannot be had here. Choose another one.')
      }
      // Said at once, and decided by the saga, when what comes in is measured by the new plan.
      requireRoom(plan, await holdingOf(dependencies, organizationId))
      const [last] = await life.history(tenantId, { limit: 1 })
      const isUnderWay = last?.saga === 'changeTier' && last.state === 'running' && last.input.tier === plan
      if (isUnderWay) return reply.code(202).send({ plan })
      if (last?.step == null && (await life.of(tenantId))?.tier === plan) return { plan }
      await begin(life, 'changeTier', tenantId, { tier: plan })
      return reply.code(202).send({ plan })
    },
  )
}

/** @throws Refusal 409 `tenant_busy`, in words that help */
export async function begin(life: Life, saga: string, tenantId: string, input: Record<string, unknown>) {
  try {
    return await life.begin({ saga, key: randomUUID(), tenantId, input })
  } catch (error) {
    if (!(error instanceof LifecycleRefused) || error.code !== 'tenant_busy') throw error
    const message = 'A change of plan or an export is under way. Try again when it is done.'
    throw new Refusal(409, 'tenant_busy', message)
  }
}
