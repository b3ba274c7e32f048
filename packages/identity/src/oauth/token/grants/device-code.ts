/**
 * device_code (RFC 8628 §3.4): the device asks again and again whether somebody has signed in for it. Membership, blocking
 * and connection are those of the moment of the exchange, and a code is exchanged once.
 */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { requireConnection } from '../../connection.ts'
import { INTERVAL_SECONDS } from '../../device/device-code.ts'
import * as devices from '../../device/store.ts'
import { readGrant } from '../../grant-store.ts'
import { problems } from '../../problems.ts'
import { issue } from '../../tokens/issue.ts'
import { firstRefreshToken } from '../../tokens/refresh.ts'
import { cutScope } from '../../tokens/scope.ts'
import { type GrantHandler, required } from '../token.ts'
import { aboutGrant, refuseSubject } from './subject.ts'

export const deviceCode: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, keyring, now } = request
  const codeHash = hashHandle(required(parameters, 'device_code'))
  const [code] = await deps.database.once(environment.id, (tx) => devices.poll(tx, codeHash, now, INTERVAL_SECONDS))
  if (!code || code.client_id !== client.client_id || code.issuer !== environment.issuer) {
    throw problems.invalid_device_code()
  }
  if (code.status === 'redeemed') throw problems.invalid_device_code({ internal: 'device code used twice' })
  if (code.expires_at <= now) throw problems.expired_device_code()
  if (code.status === 'denied') throw problems.access_denied({ facts: { reason: DENIED } })
  if (code.status === 'pending') throw code.too_early ? problems.slow_down() : problems.authorization_pending()

  const [grant] = await deps.database.once(environment.id, (tx) => readGrant(tx, code.grant_id!))
  if (!grant || grant.revoked_at) throw problems.invalid_device_code()
  Object.assign(request.about, aboutGrant(grant))
  refuseSubject(grant, 'suspended_grant')
  await requireConnection(deps.configuration, environment.id, grant)
  const api = grant.audience === null ? undefined : await deps.configuration.resourceServer(environment, grant.audience)
  if (grant.audience !== null && !api) throw problems.invalid_device_code({ internal: 'the API is gone' })
  const offline =
    client.grant_types.includes('refresh_token') &&
    cutScope(grant.scope, api, grant.permissions).includes('offline_access')
  const refresh = offline ? firstRefreshToken(request, code.claims) : undefined
  // Before the write: they may be refused, and then nothing is used up.
  const tokens = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring,
    secrets: deps.secrets,
    now,
    client,
    grant,
    subject: grant,
    api,
    claims: code.claims,
    provenKey: request.provenKey,
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  const redeemed = await deps.database.once(environment.id, (tx) => devices.redeem(tx, code.id, now, refresh?.row))
  if (redeemed.length === 0) throw problems.invalid_device_code({ internal: 'lost the race for the device code' })
  return { ...tokens, ...(refresh ? { refresh_token: refresh.handle } : {}) }
}

const DENIED = 'User cancelled the confirmation prompt.'
