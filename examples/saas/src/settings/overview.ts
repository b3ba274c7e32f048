import type { PastSaga } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { NoQuery } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { tierOf } from '../tenants/tiers.ts'
import { ownTenant } from '../users/caller.ts'
import { holdingOf } from './holding.ts'
import type { PlanDependencies } from './plan.ts'

const Amount = Type.Object(
  { used: Type.Integer(), limit: Type.Optional(Type.Integer()) },
  { additionalProperties: false },
)
const Model = Type.Enum(['pool', 'bridge', 'silo'])
const Change = Type.Object(
  {
    to: Type.String(),
    state: Type.Enum(['running', 'compensating', 'failed']),
    /** The step that is being taken; of the kit's saga `changeTier`. */
    step: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)
const Overview = Type.Object(
  {
    name: Type.String(),
    slug: Type.String(),
    plan: Type.String(),
    model: Model,
    items: Amount,
    people: Amount,
    plans: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          model: Model,
          items: Type.Optional(Type.Integer()),
          people: Type.Optional(Type.Integer()),
        },
        { additionalProperties: false },
      ),
    ),
    change: Type.Optional(Change),
  },
  { additionalProperties: false },
)

export function overviewRoute(app: FastifyInstance, dependencies: PlanDependencies): void {
  const { sql, allow, life, plans } = dependencies

  const schema = { querystring: NoQuery, response: { 200: Overview } }
  app.get('/tenant', { ...allow('read:tenant'), schema }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    const { id, name, slug, organizationId } = await ownTenant(sql)
    // First, because the first who comes gets the tenant its place.
    const holding = await holdingOf(dependencies, organizationId)
    const [tenant, history] = await Promise.all([life.of(id), life.history(id)])
    if (!tenant) throw new Refusal(404, 'tenant_unknown', 'There is no such tenant.')
    const { items, people } = tierOf(tenant.tier)
    const latest = history.find(({ saga }) => saga === 'changeTier')
    return {
      name,
      slug,
      plan: tenant.tier,
      model: tenant.placement.model,
      items: amount(holding.items, items),
      people: amount(holding.people, people),
      plans: plans.map((plan) => ({ id: plan, ...tierOf(plan) })),
      ...(latest && latest.state !== 'done' ? { change: shown(latest) } : {}),
    }
  })
}

const amount = (used: number, limit: number | undefined) => ({ used, ...(limit === undefined ? {} : { limit }) })

/** What the one who asked for the change is told of it. */
export const shown = ({ input, state, step, failure }: Pick<PastSaga, 'input' | 'state' | 'step' | 'failure'>) => ({
  to: String(input.tier),
  state,
  ...(step === null ? {} : { step }),
  ...(failure ? { message: failure.message } : {}),
})
