import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { randomText } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { sealCredentials, targetOf } from '../../../delivery/sms/provider.ts'
import { unsupported } from '../../inert.ts'
import { refuseAddress } from '../../web-address.ts'
import type { CreatePhoneProvider, UpdatePhoneProvider } from './schema.ts'
import type { PhoneProviderRow } from './store.ts'

export const problems = defineProblems({
  inexistent_phone_provider: { status: 404, title: 'The phone provider does not exist.' },
  phone_provider_conflict: { status: 409, title: 'A phone provider is already configured.' },
})
const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

type Asked = NonNullable<CreatePhoneProvider['configuration']>

/**
 * The provider as it will be. A token belongs to the account or address it was given for: anywhere else it is gone unless
 * it is given again, so that nobody who may change the address gets to read it there.
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changed(
  secrets: Secrets,
  environmentId: string,
  current: PhoneProviderRow | undefined,
  change: CreatePhoneProvider | UpdatePhoneProvider,
  now: Date,
): PhoneProviderRow {
  const name = change.name ?? current!.name
  const configuration = change.configuration ? configurationOf(name, change.configuration) : keptOf(current, name)
  const given = change.credentials?.[name === 'twilio' ? 'auth_token' : 'webhook_secret']
  const foreign = change.credentials?.[name === 'twilio' ? 'webhook_secret' : 'auth_token']
  if (foreign !== undefined) throw refuse(`these credentials do not belong to the provider ${name}.`)
  const target = { name, configuration }
  const stays = current !== undefined && targetOf(current) === targetOf(target)
  const credentials =
    given === undefined ? (stays ? current.credentials : null) : sealCredentials(secrets, environmentId, target, given)
  if (name === 'twilio' && credentials === null) throw refuse("'credentials.auth_token' is missing.")
  return {
    id: current?.id ?? `pro_${randomText(22)}`,
    ...target,
    disabled: change.disabled ?? current?.disabled ?? false,
    credentials,
    created_at: current?.created_at ?? now,
    updated_at: now,
  }
}

function keptOf(current: PhoneProviderRow | undefined, name: string): PhoneProviderRow['configuration'] {
  if (current?.name === name) return current.configuration
  throw refuse("'configuration' is missing.")
}

function configurationOf(name: PhoneProviderRow['name'], asked: Asked): PhoneProviderRow['configuration'] {
  const { delivery_methods, sid, mssid, webhook_url } = asked
  if (delivery_methods.includes('voice')) throw unsupported('configuration.delivery_methods: voice')
  const sender = asked.default_from ? { default_from: asked.default_from } : {}
  if (name === 'custom') {
    if (sid !== undefined || mssid)
      throw refuse("'configuration.sid' and 'mssid' do not belong to the provider custom.")
    // Without an address Auth0 would run an Action of the trigger custom-phone-provider.
    if (webhook_url === undefined) throw unsupported('configuration without webhook_url')
    const wrong = refuseAddress(webhook_url)
    if (wrong) throw refuse(`'configuration.webhook_url' ${wrong}.`)
    return { delivery_methods, webhook_url, ...sender }
  }
  if (webhook_url !== undefined) throw refuse("'configuration.webhook_url' does not belong to the provider twilio.")
  if (sid === undefined) throw refuse("'configuration.sid' is missing.")
  if (!asked.default_from && !mssid) throw refuse("give 'configuration.default_from' or 'configuration.mssid'.")
  return { delivery_methods, sid, ...sender, ...(mssid ? { mssid } : {}) }
}

/** The provider as the API shows it: never its credentials. */
export const shown = ({ credentials: _, ...row }: PhoneProviderRow, tenant: string) => ({
  ...row,
  tenant,
  channel: 'phone' as const,
})
