/**
 * The password of an environment's mail server, sealed for that server: moved to another host or port, it opens nothing.
 * Apart from what connects, because the API that stores it need not load a mail library (a fifth of a second at the start).
 */
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ProviderRow } from './store.ts'

type Server = Pick<ProviderRow, 'smtp_host' | 'smtp_port'>

const context = (environmentId: string, { smtp_host, smtp_port }: Server) =>
  `${environmentId}/email-provider/${smtp_host}:${smtp_port}`

export const sealPassword = (secrets: Secrets, environmentId: string, server: Server, password: string): Buffer =>
  secrets.seal(context(environmentId, server), password)

export const openPassword = (secrets: Secrets, environmentId: string, server: Server, sealed: Uint8Array): string =>
  secrets.open(context(environmentId, server), sealed)
