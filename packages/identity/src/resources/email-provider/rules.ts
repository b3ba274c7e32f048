import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { sealPassword } from '../../delivery/mail-password.ts'
import { addressOf } from '../email-templates/rules.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { type CreateProvider, inert, type SmtpCredentials, type UpdateProvider } from './schema.ts'
import type { ProviderRow } from './store.ts'

export const problems = defineProblems({
  inexistent_email_provider: { status: 404, title: 'There is no email provider configured.' },
  email_provider_conflict: { status: 409, title: 'The email provider is already configured.' },
})
const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/**
 * The provider as it will be. A password belongs to the server it was given for: at another host, port or account it is
 * gone unless it is given again, so that nobody who may change the server gets to read it there.
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changed(
  secrets: Secrets,
  environmentId: string,
  current: ProviderRow | undefined,
  change: CreateProvider | UpdateProvider,
  now: Date,
): ProviderRow {
  if (change.name !== undefined && change.name !== 'smtp') throw unsupported('name')
  refuseActive(inert, change)
  const asked = (change.credentials ?? {}) as SmtpCredentials & Record<string, unknown>
  const foreign = Object.keys(asked).find((name) => !name.startsWith('smtp_'))
  if (foreign) throw refuse(`'credentials.${foreign}' does not belong to the provider smtp.`)
  const from = change.default_from_address
  if (from && !addressOf(from))
    throw refuse("'default_from_address' must be one e-mail address, or a name and <address>.")

  const host = asked.smtp_host ?? current?.smtp_host
  const port = asked.smtp_port ?? current?.smtp_port
  if (host === undefined) throw refuse("'credentials.smtp_host' is missing.")
  if (port === undefined) throw refuse("'credentials.smtp_port' is missing.")
  const server = { smtp_host: host, smtp_port: port }
  const user = asked.smtp_user === undefined ? (current?.smtp_user ?? null) : asked.smtp_user || null
  const stays =
    current !== undefined && current.smtp_host === host && current.smtp_port === port && current.smtp_user === user
  const given = asked.smtp_pass ? sealPassword(secrets, environmentId, server, asked.smtp_pass) : null
  return {
    name: 'smtp',
    enabled: change.enabled ?? current?.enabled ?? true,
    default_from_address: from === undefined ? (current?.default_from_address ?? null) : from || null,
    ...server,
    smtp_user: user,
    smtp_pass: given ?? (stays && asked.smtp_pass === undefined ? current.smtp_pass : null),
    updated_at: now,
  }
}

/** The provider as the API shows it: never its password. */
export const shown = ({ name, enabled, default_from_address, smtp_host, smtp_port, smtp_user }: ProviderRow) => ({
  name,
  enabled,
  ...(default_from_address === null ? {} : { default_from_address }),
  credentials: { smtp_host, smtp_port, ...(smtp_user === null ? {} : { smtp_user }) },
  settings: {},
})
