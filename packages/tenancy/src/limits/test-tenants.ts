/** Tenants before a limiter. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import type { Admission, Limiter } from './limiter.ts'
import type { LimitRefused } from './refusal.ts'

export const newTenant = () => randomBytes(12).toString('hex')

/** Does the work for a tenant of this tier. */
export const as = <T>(tenantId: string, tier: string | undefined, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test', ...(tier === undefined ? {} : { tier }) }), work)

/** How many of so many at once are admitted; the others must have been refused with this code. */
export async function admitted(code: string, tries: number, limiter: Limiter, tenantId: string, tier: string) {
  const outcomes = await Promise.allSettled(
    Array.from({ length: tries }, () => as(tenantId, tier, () => limiter.enter())),
  )
  const entered: Admission[] = []
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') entered.push(outcome.value)
    else assert.match((outcome.reason as LimitRefused).code, new RegExp(`^(?:${code})$`))
  }
  return entered
}
