import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import type { Reach } from '@tenantry/gateway/gateway.ts'
import { createGuard } from '@tenantry/kernel/http/egress.ts'
import type { Settings } from './settings.ts'

/**
 * How far APIs of the control plane may reach: into the public internet, the networks that the operator allows, and to
 * the issuers of this installation, wherever they are.
 *
 * @param ca certificate authorities to trust (PEM)
 */
export function reachOf(
  { gatewayEgressAllow }: Settings,
  { ca, issuers }: { ca: string; issuers: readonly string[] },
): Reach {
  const guard = createGuard(gatewayEgressAllow)
  const [guarded, own] = [createFetchJson({ ca, guard }), createFetchJson({ ca })]
  const origins = new Set(issuers.map((issuer) => new URL(issuer).origin))
  return {
    guard,
    fetchJson: (url, options) => (origins.has(new URL(url).origin) ? own : guarded)(url, options),
  }
}
