/**
 * Where a mail leaves from: the environment's own SMTP server, or the installation's. The environment's is named by
 * whoever administers it, so it is a way to make this process connect to places: its address comes from the client for
 * what customers configure, which refuses what is not the public internet unless the installation allows it.
 */
import { isIP } from 'node:net'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { createTransport, type Transporter } from 'nodemailer'
import { openPassword } from './mail-password.ts'
import type { MailSetting } from './outbox.ts'
import type { ProviderRow } from './store.ts'

export interface MailServer {
  transport: Transporter
  from: string
}

/** Together below the first minute, after which another worker may take the message. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 }
const SAFE = { disableFileAccess: true, disableUrlAccess: true }

/** The installation's server, with connections that stay open. */
export const installationServer = (
  setting: Extract<MailSetting, { kind: 'smtp' }>,
  connections: number,
): MailServer => ({
  transport: createTransport({ url: setting.url, pool: true, maxConnections: connections, ...TIMEOUTS, ...SAFE }),
  from: setting.from,
})

/**
 * An environment's server, for one message.
 *
 * @throws Problem `egress_refused`, `egress_failed`
 */
export async function environmentServer(
  deps: { secrets: Secrets; egress: Egress; from: string },
  environmentId: string,
  row: ProviderRow,
): Promise<MailServer> {
  const { address, isPublic } = await deps.egress.resolve(row.smtp_host)
  const pass = row.smtp_pass ? openPassword(deps.secrets, environmentId, row, row.smtp_pass) : undefined
  const auth = row.smtp_user && pass !== undefined ? { auth: { user: row.smtp_user, pass } } : {}
  const transport = createTransport({
    host: address,
    port: row.smtp_port,
    secure: row.smtp_port === 465,
    // The certificate is that of the name, though the connection goes to the address that was checked.
    tls: isIP(row.smtp_host) ? {} : { servername: row.smtp_host },
    // A password never crosses the internet in clear, also when somebody on the way strips STARTTLS.
    requireTLS: isPublic,
    ...auth,
    ...TIMEOUTS,
    ...SAFE,
  })
  return { transport, from: row.default_from_address ?? deps.from }
}
