/**
 * Where a mail leaves from: the environment's own SMTP server, or the installation's. The environment's is named by
 * whoever administers it, so it is a way to make this process connect to places: it is looked up once, must be an address
 * of the internet unless the installation allows others, and it is this address that is connected to.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { createTransport, type Transporter } from 'nodemailer'
import type { MailSetting } from './outbox.ts'
import type { ProviderRow } from './store.ts'

/** Sealed for its server: moved to another host or port, the password opens nothing. */
const context = (environmentId: string, { smtp_host, smtp_port }: Pick<ProviderRow, 'smtp_host' | 'smtp_port'>) =>
  `${environmentId}/email-provider/${smtp_host}:${smtp_port}`

export const sealPassword = (
  secrets: Secrets,
  environmentId: string,
  server: Pick<ProviderRow, 'smtp_host' | 'smtp_port'>,
  password: string,
): Buffer => secrets.seal(context(environmentId, server), password)

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
 * @throws Error when its host is no address of the internet and `allowPrivate` is not set, or cannot be found
 */
export async function environmentServer(
  deps: { secrets: Secrets; allowPrivate: boolean; from: string },
  environmentId: string,
  row: ProviderRow,
): Promise<MailServer> {
  const { address, family } = await lookup(row.smtp_host)
  const inside = isPrivate(address, family)
  if (inside && !deps.allowPrivate) throw new Error(`${row.smtp_host} is not an address of the internet`)
  const pass = row.smtp_pass ? deps.secrets.open(context(environmentId, row), row.smtp_pass) : undefined
  const auth = row.smtp_user && pass !== undefined ? { auth: { user: row.smtp_user, pass } } : {}
  const transport = createTransport({
    host: address,
    port: row.smtp_port,
    secure: row.smtp_port === 465,
    // The certificate is that of the name, though the connection goes to the address that was checked.
    tls: isIP(row.smtp_host) ? {} : { servername: row.smtp_host },
    // A password never crosses the internet in clear, also when somebody on the way strips STARTTLS.
    requireTLS: !inside,
    ...auth,
    ...TIMEOUTS,
    ...SAFE,
  })
  return { transport, from: row.default_from_address ?? deps.from }
}

// Two lists: one would take 8.8.8.8 for ::ffff:8.8.8.8, and so for a translated address.
const [blocked4, blocked6] = [new BlockList(), new BlockList()]
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  blocked4.addSubnet(network, prefix, 'ipv4')
}
// Global unicast is 2000::/3; of it, what translates to IPv4 may lead anywhere.
for (const [network, prefix] of [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2002::', 16],
] as const) {
  blocked6.addSubnet(network, prefix, 'ipv6')
}

export const isPrivate = (address: string, family: number): boolean =>
  family === 6 ? blocked6.check(address, 'ipv6') : blocked4.check(address, 'ipv4')
