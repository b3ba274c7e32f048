/**
 * A registration as a row that moves from step to step. Each step calls one service, may be repeated, and is recorded
 * only after it succeeded; so a process that dies anywhere leaves a row from which any other goes on. Two ends are
 * possible: `done`, or `refused` after everything that was made has been taken away again.
 */
import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import type { InternalCall, Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { MAX_ATTEMPTS, retryDelaySeconds } from './rules.ts'
import type { Registration, Step } from './store.ts'
import * as store from './store.ts'

export interface SagaDependencies {
  sql: Sql
  tenants: InternalCall
  users: InternalCall
  logger: Logger
  now: () => Date
}

interface Transition {
  next: Step
  run(registration: Registration, services: Pick<SagaDependencies, 'tenants' | 'users'>): Promise<void>
}

const TRANSITIONS: Record<Exclude<Step, 'done' | 'refused'>, Transition> = {
  received: {
    next: 'tenant_created',
    async run({ tenantId, companyName, plan, email }, { tenants, users }) {
      await users('POST', '/eligibility', { email })
      await tenants('PUT', `/tenants/${tenantId}`, { name: companyName, plan })
    },
  },
  tenant_created: {
    next: 'organization_created',
    async run({ tenantId }, { tenants }) {
      await tenants('PUT', `/tenants/${tenantId}/organization`)
    },
  },
  organization_created: {
    next: 'connection_enabled',
    async run({ tenantId }, { tenants }) {
      await tenants('PUT', `/tenants/${tenantId}/connection`)
    },
  },
  connection_enabled: {
    next: 'user_invited',
    async run({ tenantId, email }, { tenants, users }) {
      const { organizationId } = await tenants('PUT', `/tenants/${tenantId}/organization`)
      await users('PUT', `/organizations/${encodeURIComponent(String(organizationId))}/administrator`, { email })
    },
  },
  user_invited: {
    next: 'done',
    async run({ tenantId }, { tenants }) {
      await tenants('PUT', `/tenants/${tenantId}/activation`)
    },
  },
  refusing: {
    next: 'refused',
    async run({ tenantId }, { tenants }) {
      await tenants('DELETE', `/tenants/${tenantId}`)
    },
  },
}

/** Longer than the slowest step, so that nobody takes over from a process that is merely waiting. */
const LEASE_SECONDS = 60

/**
 * Takes a registration as far as it goes.
 * @returns the registration, unfinished when a step failed for now, or undefined while another process works on it.
 */
export async function advance(dependencies: SagaDependencies, id: string): Promise<Registration | undefined> {
  const { sql, logger, now } = dependencies
  const lease = randomUUID()
  const leaseEnd = () => new Date(now().getTime() + LEASE_SECONDS * 1000)
  let registration = await store.acquire(sql, id, lease, now(), leaseEnd())
  if (!registration) return undefined

  while (registration.step !== 'done' && registration.step !== 'refused') {
    const transition: Transition = TRANSITIONS[registration.step]
    let next: Step = transition.next
    let refusal: store.RefusalRecord | null = null
    try {
      await transition.run(registration, dependencies)
    } catch (error) {
      refusal = finalRefusal(error, registration)
      if (!refusal) {
        const delay = retryDelaySeconds(registration.attempts + 1)
        logger.error({ registration: id, step: registration.step, error }, 'registration step failed; to be repeated')
        await store.postpone(sql, id, lease, new Date(now().getTime() + delay * 1000))
        return { ...registration, attempts: registration.attempts + 1 }
      }
      next = 'refusing'
    }
    if (!(await store.advance(sql, id, lease, next, leaseEnd(), refusal))) return undefined
    registration = { ...registration, step: next, refusal: refusal ?? registration.refusal }
  }
  await store.release(sql, id, lease)
  return registration
}

/** What no further try would change. Taking away what was made is never given up. */
function finalRefusal(error: unknown, registration: Registration): store.RefusalRecord | null {
  if (registration.step === 'refusing') return null
  if (error instanceof Refusal) return { status: error.status, code: error.code, message: error.message }
  if (registration.attempts + 1 < MAX_ATTEMPTS) return null
  return {
    status: 503,
    code: 'registration_failed',
    message: 'The registration could not be completed and has been undone. Register again.',
  }
}

/** Goes on with what crashes and failures left behind. */
export async function resumeUnfinished(dependencies: SagaDependencies): Promise<void> {
  for (const id of await store.listUnfinished(dependencies.sql, dependencies.now())) await advance(dependencies, id)
}
