/**
 * The identity travels with the request, not through every function's arguments: whoever would have to pass it can
 * forget it or pass another one. Adapters call `withIdentity`; everything that touches a tenant's data reads it here.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { SaasIdentity } from './saas-identity.ts'

const storage = new AsyncLocalStorage<SaasIdentity>()

/** Tenant data was asked for where nobody's identity is known: a route without the kit's adapter, or a stray timer. */
export class IdentityMissing extends Error {
  constructor() {
    super(
      'There is no SaaS identity here. Serve the route through an adapter of the kit, or wrap background work into withIdentity(backgroundIdentity({ tenantId, reason }), …).',
    )
    this.name = 'IdentityMissing'
  }
}

/**
 * Runs `work` as this identity: everything it calls or starts sees it, across awaits, timers and events.
 *
 * @throws Error when it would change the tenant in the midst of another one's work: such code would mix two tenants
 * @example
 * await withIdentity(await authenticate(request.headers), () => database.inTenant(listItems))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export function withIdentity<T>(identity: SaasIdentity, work: () => T): T {
  const outer = storage.getStore()
  if (outer && outer.tenantId !== identity.tenantId) {
    throw new Error('This runs for one tenant and asks to act for another. Start work for each tenant on its own.')
  }
  return storage.run(identity, work)
}

/**
 * Runs `work` as nobody: for what a request starts and all tenants share, such as a pool's connections or a timer.
 * Data of tenants cannot be reached from there.
 */
export const withoutIdentity = <T>(work: () => T): T => storage.exit(work)

/**
 * Whose request this is.
 *
 * @throws IdentityMissing where nobody's identity is known
 * @example
 * withIdentity(identity, () => currentIdentity().tenantId) // → 'BlueKite4Jq8Zt1Ns6Yb0Xw3'
 * currentIdentity() // throws IdentityMissing
 */
export function currentIdentity(): SaasIdentity {
  const identity = storage.getStore()
  if (!identity) throw new IdentityMissing()
  return identity
}

/** As `currentIdentity`, for code that also runs outside of requests, such as logging. */
export const identityIfAny = (): SaasIdentity | undefined => storage.getStore()
