/** What the tenant is, what it holds and of what, and which plan it has or is getting. */
import type { PastSaga } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { NoQuery } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { tierOf } from '../tenants/tiers.ts'
import { ownTenant } from '../users/caller.ts'
import { holdingOf } from './holding.ts'
import type { PlanDependencies } from './plan.ts'

const exactly = { additionalProperties: false }
const Amount = Type.Object({ used: Type.Integer(), limit: Type.Optional(Type.Integer()) }, exactly)
const Model = Type.Enum(['pool', 'bridge', 'silo'])
const Offer = {
  id: Type.String(),
  model: Model,
  items: Type.Optional(Type.Integer()),
  people: Type.Optional(Type.Integer()),
}
const Change = Type.Object(
  {
    to: Type.String(),
    state: Type.Enum(['running', 'compensating', 'failed']),
    /** The step that is being taken, of the kit's saga `changeTier`. */
    step: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
  },
  exactly,
)
const plan = {
  plan: Type.String(),
  /** Where the rows are now. */
  model: Model,
  /** One that is under way, or the last one if it failed. */
  change: Type.Optional(Change),
}
const Plan = Type.Object(plan, exactly)
const Overview = Type.Object(
  {
    name: Type.String(),
    slug: Type.String(),
    ...plan,
    items: Amount,
    people: Amount,
    plans: Type.Array(Type.Object(Offer, exactly)),
  },
  exactly,
)

export function overviewRoutes(app: FastifyInstance, dependencies: PlanDependencies): void {
  const { sql, allow, life, plans } = dependencies

  const schema = { querystring: NoQuery, response: { 200: Overview } }
  app.get('/tenant', { ...allow('read:tenant'), schema }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    const { id, name, slug, organizationId } = await ownTenant(sql)
    // First, because the first who comes gets the tenant its place.
    const holding = await holdingOf(dependencies, organizationId)
    const present = await planOf(id)
    const { items, people } = tierOf(present.plan)
    return {
      name,
      slug,
      ...present,
      items: amount(holding.items, items),
      people: amount(holding.people, people),
      plans: plans.map((plan) => ({ id: plan, ...tierOf(plan) })),
    }
  })

  // For a page that follows a change: it costs no question to the issuer.
  const following = { querystring: NoQuery, response: { 200: Plan } }
  app.get('/tenant/plan', { ...allow('read:tenant'), schema: following }, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return planOf((await ownTenant(sql)).id)
  })

  async function planOf(tenantId: string) {
    // In this order: of a change that is done by now, the tenant already has what it made.
    const history = await life.history(tenantId)
    const tenant = await life.of(tenantId)
    if (!tenant) throw new Refusal(404, 'tenant_unknown', 'There is no such tenant.')
    const latest = history.find(({ saga }) => saga === 'changeTier')
    return {
      plan: tenant.tier,
      model: tenant.placement.model,
      ...(latest && latest.state !== 'done' ? { change: shown(latest) } : {}),
    }
  }
}

const amount = (used: number, limit: number | undefined) => ({ used, ...(limit === undefined ? {} : { limit }) })

const shown = ({ input, state, step, failure }: PastSaga) => ({
  to: String(input.tier),
  state,
  ...(step === null ? {} : { step }),
  ...(failure ? { message: failure.message } : {}),
})
