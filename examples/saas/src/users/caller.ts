/** For whom the member routes act: the organization of the caller's own token, and nothing that a request says. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { currentIdentity } from '@tenantry/tenancy'
import type { Sql } from 'postgres'
import { Refusal } from '../refusal.ts'
import { get, type Tenant } from '../tenants/store.ts'
import * as turns from './turn-store.ts'

export type OwnTenant = Tenant & { organizationId: string }

/**
 * The caller's tenant. The token names tenant and organization in two claims; both must mean the same, as the directory
 * knows it, or one of them is not the caller's.
 * @throws Refusal 403 `tenant_refused`
 */
export async function ownTenant(sql: Sql): Promise<OwnTenant> {
  const { tenantId, organizationId } = currentIdentity()
  const tenant = await get(sql, tenantId)
  if (tenant?.state !== 'active' || !tenant.organizationId || tenant.organizationId !== organizationId) {
    throw new Refusal(403, 'tenant_refused', 'This token is of no company that can be managed here.')
  }
  return { ...tenant, organizationId: tenant.organizationId }
}

/** Longer than the issuer may take for all calls of one change. */
const TURN_SECONDS = 60
const PATIENCE_MILLISECONDS = 5_000

/**
 * Runs `work` while nobody else changes this tenant's members.
 * @throws Refusal 503 `members_busy` when others take too long
 */
export async function inTurn<T>(
  { sql, now }: { sql: Sql; now: () => Date },
  tenantId: string,
  work: () => Promise<T>,
): Promise<T> {
  const turn = randomUUID()
  const deadline = performance.now() + PATIENCE_MILLISECONDS
  while (!(await turns.take(sql, tenantId, turn, now(), new Date(now().getTime() + TURN_SECONDS * 1000)))) {
    if (performance.now() > deadline) {
      throw new Refusal(503, 'members_busy', 'Somebody else is changing the members right now. Try again in a moment.')
    }
    await delay(50)
  }
  try {
    return await work()
  } finally {
    await turns.giveBack(sql, tenantId, turn)
  }
}
