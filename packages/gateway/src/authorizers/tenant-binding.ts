/**
 * Ties a token to the tenant that a request names in its path or its host, so that a valid token of one tenant opens
 * nothing of another one even where a service forgets to look.
 */
import type { TenantBinding } from '../api.ts'
import { domainName } from '../context.ts'
import type { Call } from '../exchange.ts'
import type { CompiledRoute } from '../routing/router.ts'
import { valuesOf } from './required-claims.ts'

/** Whether the claims belong to the tenant that the request names. */
export function isBound(
  claims: Readonly<Record<string, unknown>>,
  call: Call,
  bindings: readonly TenantBinding[],
): boolean {
  return bindings.every((binding) => {
    const named = tenantNamed(call, binding)
    const value = Object.hasOwn(claims, binding.claim) ? claims[binding.claim] : undefined
    return named !== '' && valuesOf(value).includes(named)
  })
}

/** @throws Error for a route whose path has no such variable: its requests would name no tenant */
export function requireBindable(route: CompiledRoute, authorizer: string, bindings: readonly TenantBinding[]): void {
  for (const binding of bindings) {
    if (binding.to !== 'path') continue
    const { parameter } = binding
    if (route.segments.some((segment) => segment.kind === 'variable' && segment.name === parameter)) continue
    throw new Error(
      `the route "${route.key}" has no {${parameter}}, which the authorizer "${authorizer}" compares with the claim ` +
        `"${binding.claim}": give it another authorizer`,
    )
  }
}

function tenantNamed(call: Call, binding: TenantBinding): string {
  if (binding.to !== 'path') return binding.to === 'host' ? domainName(call) : domainName(call).split('.')[0]!
  const { segments } = call.route
  const index = segments.findIndex((segment) => segment.kind === 'variable' && segment.name === binding.parameter)
  return index === -1 ? '' : (call.path.segments[index] ?? '')
}
