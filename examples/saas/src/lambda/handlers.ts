/**
 * Stockroom's services as functions behind Amazon API Gateway; `deploy/template.yaml` names them. Everything comes from
 * variables, so the same code runs against Auth0's cloud and against Tenantry:
 *
 *   ISSUER, API_AUDIENCE, TENANT_CLAIM, TIER_CLAIM           what tokens must say
 *   MANAGEMENT_DOMAIN, MANAGEMENT_CLIENT_ID, …_CLIENT_SECRET  the Management API's
 *   CONNECTION_ID, CONNECTION_NAME, SPA_CLIENT_ID            where people are kept, and the web app's client
 *   ADMIN_ROLE, MEMBER_ROLE                                  names or ids of the two roles
 *   DATABASE                                                 JSON, see DatabaseOptions
 */
import { createStockroom, type Stockroom } from '../stockroom.ts'
import { answerEvent, type HttpApiEvent } from './events.ts'

const setting = (name: string, fallback?: string): string => {
  const value = process.env[name] ?? fallback
  if (value === undefined) throw new Error(`The variable ${name} is not set. See src/lambda/handlers.ts.`)
  return value
}
const log = (level: string) => (facts: object, message: string) =>
  console.log(
    JSON.stringify({ level, message, ...facts }, (_key, value: unknown) =>
      value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value,
    ),
  )

/** Made at the first call and kept while the function is warm; a failure is not kept. */
let kept: Promise<Stockroom> | undefined
function stockroom(): Promise<Stockroom> {
  kept ??= open().catch((error: unknown) => {
    kept = undefined
    throw error
  })
  return kept
}

const open = () =>
  createStockroom({
    database: JSON.parse(setting('DATABASE')),
    issuer: setting('ISSUER'),
    apiAudience: setting('API_AUDIENCE'),
    tenantClaim: setting('TENANT_CLAIM', 'https://stockroom.example/tenantId'),
    tierClaim: setting('TIER_CLAIM', 'https://stockroom.example/tier'),
    management: {
      domain: setting('MANAGEMENT_DOMAIN'),
      clientId: setting('MANAGEMENT_CLIENT_ID'),
      clientSecret: setting('MANAGEMENT_CLIENT_SECRET'),
      audience: setting('MANAGEMENT_AUDIENCE', `https://${setting('MANAGEMENT_DOMAIN')}/api/v2/`),
    },
    connection: { id: setting('CONNECTION_ID'), name: setting('CONNECTION_NAME') },
    spaClientId: setting('SPA_CLIENT_ID'),
    roles: { admin: setting('ADMIN_ROLE', 'admin'), member: setting('MEMBER_ROLE', 'member') },
    logger: { info: log('info'), error: log('error') },
  })

const handlerOf = (name: 'registration' | 'tenants' | 'users' | 'items') => async (event: HttpApiEvent) => {
  const { services } = await stockroom()
  return answerEvent(services[name], event)
}

export const registration = handlerOf('registration')
export const tenants = handlerOf('tenants')
export const users = handlerOf('users')
export const items = handlerOf('items')

/** What crashes left behind, and events that wait: called by a schedule, since nothing runs between two calls. */
export const upkeep = async (): Promise<void> => {
  await (await stockroom()).upkeep()
}
