/**
 * POST /oauth/device/code (RFC 8628 §3.1): a device without a browser asks to be signed in. It gets a code to poll with,
 * and one to show to the person, who types it at /activate in a browser of their own.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import { DEVICE_FLOW } from '../../resources/tenant-settings/device-flow.ts'
import type { Configuration } from '../configuration.ts'
import { namedOrganization } from '../organization.ts'
import { readParameters, wantedAudience } from '../parameters.ts'
import { problems } from '../problems.ts'
import { authenticateClient } from '../token/client-authentication.ts'
import { parseScope } from '../tokens/scope.ts'
import * as store from './store.ts'
import { hashUserCode, makeUserCode } from './user-code.ts'

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

const LIFETIME_SECONDS = 900
export const INTERVAL_SECONDS = 5

export interface DeviceCodeDependencies {
  database: Database
  configuration: Configuration
  secrets: Secrets
  clock: Clock
}

export const deviceCode = (deps: DeviceCodeDependencies) => async (app: Api) => {
  app.post('/oauth/device/code', async (request, reply) => {
    const { environment } = request
    const parameters = readParameters(request.body)
    const { authorization } = request.headers
    const client = await authenticateClient(deps, environment, { authorization, parameters })
    if (!client.grant_types.includes(DEVICE_CODE)) throw problems.unauthorized_client({ facts: { type: DEVICE_CODE } })
    const scope = parseScope(parameters.scope)
    if (!scope) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
    const asksFor = wantedAudience(environment, parameters)
    const audience = asksFor === undefined ? environment.settings.default_audience : asksFor
    const api = audience ? await deps.configuration.resourceServer(environment, audience) : undefined
    if (asksFor && !api) {
      const reason = `Service not enabled within domain: ${asksFor.slice(0, 200)}`
      throw problems.access_denied({ facts: { reason } })
    }
    const meant = api && (asksFor || !api.is_system) ? api : undefined
    const organization = await organizationOf()

    const code = randomHandle()
    const now = deps.clock.now()
    const row = {
      id: newId.uuid(),
      device_code_hash: hashHandle(code),
      client_id: client.client_id,
      organization_id: organization ?? null,
      audience: meant ? audience! : null,
      resource_server_identifier: meant?.identifier ?? null,
      scope,
      issuer: environment.issuer,
      interval_seconds: INTERVAL_SECONDS,
      created_at: now,
      expires_at: addSeconds(now, LIFETIME_SECONDS),
    }
    const userCode = await keep(row)
    const page = `${environment.issuer}activate`
    return reply.header('cache-control', 'no-store').send({
      device_code: code,
      user_code: userCode,
      verification_uri: page,
      expires_in: LIFETIME_SECONDS,
      interval: INTERVAL_SECONDS,
      verification_uri_complete: `${page}?user_code=${encodeURIComponent(userCode)}`,
    })

    /** Where the client's people are asked for their organization on a page, the device need not know it. */
    async function organizationOf(): Promise<string | undefined> {
      const asked = parameters.organization || undefined
      const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })
      if (!asked) {
        if (client.organization_usage === 'require' && client.organization_require_behavior === 'no_prompt') {
          throw refuse('parameter organization is required for this client')
        }
        return undefined
      }
      if (client.organization_usage === 'deny') throw refuse('parameter organization is not allowed for this client')
      return (await namedOrganization(deps.configuration, environment, asked)).organization_id
    }

    /** Two codes of one moment with the same letters are next to impossible; then another one is made. */
    async function keep(given: Omit<store.NewDeviceCode, 'user_code_hash'>): Promise<string> {
      for (;;) {
        const userCode = makeUserCode({ ...DEVICE_FLOW, ...environment.settings.device_flow })
        const user_code_hash = hashUserCode(deps.secrets, environment.id, userCode)!
        const kept = await deps.database.once(environment.id, (tx) =>
          store.insert(tx, environment.id, { ...given, user_code_hash }),
        )
        if (kept.length > 0) return userCode
      }
    }
  })
}
