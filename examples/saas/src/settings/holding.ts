/** What a tenant holds, and whether a plan has room for it. */
import type { TenantDatabase } from '@tenantry/tenancy'
import type { ManagementClient } from 'auth0'
import * as items from '../items/store.ts'
import { Refusal } from '../refusal.ts'
import { nameOf, tierOf } from '../tenants/tiers.ts'

export interface Holding {
  items: number
  /** Members and open invitations. Counted up to `MOST_PEOPLE`: the issuer tells them page by page. */
  people: number
}

/** Above every limit of a plan. */
export const MOST_PEOPLE = 1_000

export interface HoldingSources {
  database: TenantDatabase
  management: ManagementClient
}

export async function holdingOf({ database, management }: HoldingSources, organizationId: string): Promise<Holding> {
  const [total, people] = await Promise.all([
    database.inTenant(async (tx) => (await items.figures(tx)).total),
    countPeople(management, organizationId),
  ])
  return { items: total, people }
}

async function countPeople({ organizations }: ManagementClient, organizationId: string): Promise<number> {
  let count = 0
  const lists = [
    await organizations.members.list(organizationId, { take: 100, fields: 'user_id' }),
    await organizations.invitations.list(organizationId, { per_page: 100, fields: 'id' }),
  ]
  for (const list of lists) {
    for await (const _one of list as AsyncIterable<unknown>) if (++count >= MOST_PEOPLE) return count
  }
  return count
}

/** @throws Refusal 409 `plan_too_small`, saying how much is too much */
export function requireRoom(plan: string, holding: Holding): void {
  const tier = tierOf(plan)
  const over = (['items', 'people'] as const)
    .filter((kind) => holding[kind] > (tier[kind] ?? Number.POSITIVE_INFINITY))
    .map((kind) => `${number(tier[kind]!)} ${kind}, and there are ${number(holding[kind])}`)
  if (over.length === 0) return
  const message = `The plan ${nameOf(plan)} holds ${over.join('; ')}. Remove what is too much, or choose a larger plan.`
  throw new Refusal(409, 'plan_too_small', message)
}

const number = (count: number) => count.toLocaleString('en')
