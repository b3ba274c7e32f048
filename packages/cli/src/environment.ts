import { moveEnvironment, oldestEnvironment } from '@tenantry/identity/environments/environment.ts'
import { seedEnvironment } from '@tenantry/identity/environments/seed.ts'
import { signJwt } from '@tenantry/identity/keys/jwt.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { translations } from '@tenantry/identity/languages.ts'
import { managementAudience } from '@tenantry/identity/resources/management-api.ts'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import type { Clock } from '@tenantry/kernel/clock.ts'
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'

export interface OpenedEnvironment {
  id: string
  /** For provisioning by this process: every scope, for a minute. */
  managementToken(): Promise<string>
}

/** The one environment of a local installation: found or made, answering at these origins. */
export async function openEnvironment(
  deps: { database: Database; secrets: Secrets; clock: Clock },
  origins: string[],
): Promise<OpenedEnvironment> {
  const existing = await oldestEnvironment(deps.database)
  const settings = {
    friendly_name: 'Stockroom',
    allow_organization_name_in_authentication_api: true,
    enabled_locales: [...translations],
  }
  const environment = existing ?? (await seedEnvironment(deps, { name: 'Stockroom', origins, settings }))
  // Ports are settings: another start may answer elsewhere.
  if (existing && existing.origins.join() !== origins.join()) await moveEnvironment(deps.database, existing, origins)
  return {
    id: environment.id,
    async managementToken() {
      const uncached = { remember: <T>(_id: string, _key: readonly string[], load: () => Promise<T>) => load() }
      const keyring = await createKeyrings({ ...deps, cache: uncached })(environment.id)
      const now = epochSeconds(deps.clock.now())
      const claims = { iss: `${origins[0]}/`, sub: 'quickstart@clients', aud: managementAudience(origins[0]!) }
      return signJwt(keyring.current, { ...claims, iat: now, exp: now + 60, scope: managementScopes.join(' ') })
    },
  }
}
