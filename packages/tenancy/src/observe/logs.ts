/**
 * The tenant in every line of the log. Of the identity only what is no personal data: tenant, organization, tier, client.
 * The subject may be an e-mail address at some issuers, and tokens are what a reader of logs must never find.
 */
import { identityIfAny } from '../identity/context.ts'

export interface TenantFields {
  tenantId?: string
  organizationId?: string
  tier?: string
  clientId?: string
}

/** Whose line this is; nothing where nobody's identity is known. For any logger: `console.log({ ...tenantFields(), … })`. */
export function tenantFields(): TenantFields {
  const identity = identityIfAny()
  if (!identity) return {}
  const { tenantId, organizationId, tier, clientId } = identity
  return {
    tenantId,
    ...(organizationId === undefined ? {} : { organizationId }),
    ...(tier === undefined ? {} : { tier }),
    ...(clientId === undefined ? {} : { clientId }),
  }
}

const SECRET = ['authorization', 'cookie', '["set-cookie"]', '["x-api-key"]', '["proxy-authorization"]']
const PLACES = ['', 'headers', 'req.headers', 'request.headers', 'res.headers', 'response.headers']

/**
 * Options of pino: the tenant in every line, whatever the line itself says, and headers that carry credentials blacked out
 * where pino and Fastify put them.
 * @example
 * import { pino } from 'pino'
 *
 * const logger = pino({ ...tenantLogging, level: 'info' }, destination)
 * withIdentity(identity, () => logger.info('Stock was counted.'))
 */
export const tenantLogging = {
  mixin: (): TenantFields => tenantFields(),
  // pino lets the line win; a line that copies a caller's body would then say it is another tenant's.
  mixinMergeStrategy: (line: object, tenant: object): object => ({ ...line, ...tenant }),
  redact: {
    paths: PLACES.flatMap((place) =>
      SECRET.map((name) => (place === '' || name.startsWith('[') ? place + name : `${place}.${name}`)),
    ),
    censor: '[redacted]',
  },
}
