/**
 * Starts Stockroom beside a running platform. Everything it needs to know is in `.tenantry/quickstart.json`, which the
 * platform writes; variables of the environment override it:
 *
 *   STOCKROOM_QUICKSTART      path of that file
 *   STOCKROOM_DATABASE        JSON { application, owner, administrator?, siloSecret? }: URLs or option objects, see
 *                             DatabaseOptions; the platform tells it
 *   STOCKROOM_PORTS           JSON { web, registration, tenants, users, items }
 *   STOCKROOM_SETTINGS        JSON, see `settings` in stockroom.ts
 *   STOCKROOM_ADMIN_ROLE      role of administrators, of a tenant's first user too ("admin")
 *   STOCKROOM_MEMBER_ROLE     role of everybody else ("member")
 *   STOCKROOM_TENANT_CLAIM    claim with the tenant's id ("https://stockroom.example/tenantId")
 *   STOCKROOM_TIER_CLAIM      claim with its tier ("https://stockroom.example/tier")
 *   NODE_EXTRA_CA_CERTS       the platform's CA, for the Management API over https
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseOptions } from './database/database.ts'
import type { Logger } from './http.ts'
import { createStockroom, type StockroomOptions } from './stockroom.ts'

interface Quickstart {
  issuer: string
  httpIssuer: string
  managementAudience: string
  mailUrl?: string
  gatewayUrl: string
  apiAudience: string
  spaClient: { client_id: string }
  servicesClient: { client_id: string; client_secret: string }
  connection: { id: string; name: string }
  roles?: { admin: string; member: string }
}

const { env } = process
const parsed = <T>(name: string, fallback?: T): T => {
  const text = env[name]
  if (text) return JSON.parse(text) as T
  if (fallback === undefined) throw new Error(`${name} is not set. See examples/saas/src/main.ts.`)
  return fallback
}
const write = (level: string) => (facts: object, message: string) =>
  console.error(
    JSON.stringify({ level, message, ...facts }, (_key, value: unknown) =>
      value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value,
    ),
  )
const logger: Logger = { info: write('info'), error: write('error') }

// Started by the platform, which says when the file is written and where the database is; by then the modules above are
// loaded.
const [told] = process.send ? ((await once(process, 'message')) as [{ database: DatabaseOptions }]) : [undefined]
const quickstart = JSON.parse(
  await readFile(env.STOCKROOM_QUICKSTART ?? '.tenantry/quickstart.json', 'utf8'),
) as Quickstart

const stockroom = await createStockroom({
  database: told?.database ?? parsed<DatabaseOptions>('STOCKROOM_DATABASE'),
  issuer: [quickstart.httpIssuer, quickstart.issuer],
  apiAudience: quickstart.apiAudience,
  tenantClaim: env.STOCKROOM_TENANT_CLAIM ?? 'https://stockroom.example/tenantId',
  tierClaim: env.STOCKROOM_TIER_CLAIM ?? 'https://stockroom.example/tier',
  management: {
    domain: new URL(quickstart.issuer).host,
    clientId: quickstart.servicesClient.client_id,
    clientSecret: quickstart.servicesClient.client_secret,
    audience: quickstart.managementAudience,
  },
  connection: quickstart.connection,
  spaClientId: quickstart.spaClient.client_id,
  roles: {
    admin: env.STOCKROOM_ADMIN_ROLE ?? quickstart.roles?.admin ?? 'admin',
    member: env.STOCKROOM_MEMBER_ROLE ?? quickstart.roles?.member ?? 'member',
  },
  settings: parsed<NonNullable<StockroomOptions['settings']>>('STOCKROOM_SETTINGS', {}),
  web: {
    root: join(import.meta.dirname, '../web/dist/browser'),
    gatewayUrl: quickstart.gatewayUrl,
    domain: quickstart.httpIssuer,
    spaClientId: quickstart.spaClient.client_id,
    apiAudience: quickstart.apiAudience,
    ...(quickstart.mailUrl ? { mailboxUrl: quickstart.mailUrl } : {}),
  },
  ports: { web: 3000, registration: 3001, tenants: 3002, users: 3003, items: 3004, ...parsed('STOCKROOM_PORTS', {}) },
  logger,
})
let closing = false
const close = () => {
  if (closing) return
  closing = true
  void stockroom.close().then(() => process.exit(0))
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, close)
// The parent process is gone, perhaps killed: nobody could stop us any more.
process.on('disconnect', close)

const urls = await stockroom.listen()
// One line for the parent process, which waits for it.
console.log(JSON.stringify({ ready: true, urls }))
