/**
 * The identity server: issuer, Management API, Universal Login. This function is the table of contents; every handler
 * is mounted here and nowhere else, in this order.
 */
import { resolveTxt } from 'node:dns/promises'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { createServer } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ActionRunner } from './actions/runner.ts'
import { createConfigurationCache } from './configuration-cache.ts'
import { mailbox } from './delivery/mailbox.ts'
import { createOutbox, type MailSetting } from './delivery/outbox.ts'
import { createEnvironmentResolver } from './environments/environment.ts'
import { createKeyrings } from './keys/keyring.ts'
import { createLogin } from './login/login.ts'
import { governPages } from './login/page-errors.ts'
import { createPostLogin } from './login/post-login.ts'
import { ticketPages } from './login/tickets.ts'
import { createTenantLog } from './logs/tenant-log.ts'
import { authorize } from './oauth/authorize/authorize.ts'
import { createConfiguration } from './oauth/configuration.ts'
import { logout } from './oauth/logout.ts'
import { oauth } from './oauth/oauth.ts'
import { actionBindings } from './resources/actions/bindings/routes.ts'
import { actionExecutions } from './resources/actions/executions/routes.ts'
import { actions } from './resources/actions/routes.ts'
import { actionVersions } from './resources/actions/versions/routes.ts'
import { attackProtection } from './resources/attack-protection/routes.ts'
import { createAttackProtection } from './resources/attack-protection/settings.ts'
import { pageTemplate } from './resources/branding/page-template/routes.ts'
import { branding } from './resources/branding/routes.ts'
import { brandingThemes } from './resources/branding/themes/routes.ts'
import { clientGrants } from './resources/client-grants/routes.ts'
import { clientCredentials } from './resources/clients/credentials/routes.ts'
import { clients } from './resources/clients/routes.ts'
import { connections } from './resources/connections/routes.ts'
import { customDomains } from './resources/custom-domains/routes.ts'
import { deviceCredentials } from './resources/device-credentials/routes.ts'
import type { ResolveTxt } from './resources/domain-name.ts'
import { emailProvider } from './resources/email-provider/routes.ts'
import { emailTemplates } from './resources/email-templates/routes.ts'
import { grants } from './resources/grants/routes.ts'
import { guardian } from './resources/guardian/routes.ts'
import { exportDownloads } from './resources/jobs/exports/download.ts'
import { userExports } from './resources/jobs/exports/routes.ts'
import { userImports } from './resources/jobs/imports/routes.ts'
import { jobs } from './resources/jobs/routes.ts'
import { verificationEmail } from './resources/jobs/verification-email/routes.ts'
import { logStreams } from './resources/log-streams/routes.ts'
import { logs } from './resources/logs/routes.ts'
import { governManagementApi } from './resources/management-api.ts'
import { notYet } from './resources/not-yet.ts'
import { openapi } from './resources/openapi/routes.ts'
import { organizationClientGrants } from './resources/organizations/client-grants/routes.ts'
import { organizationClients } from './resources/organizations/clients/routes.ts'
import { organizationConnections } from './resources/organizations/connections/routes.ts'
import { discoveryDomains } from './resources/organizations/discovery-domains/routes.ts'
import { enabledConnections } from './resources/organizations/enabled-connections/routes.ts'
import { invitations } from './resources/organizations/invitations/routes.ts'
import { members } from './resources/organizations/members/routes.ts'
import { organizations } from './resources/organizations/routes.ts'
import { organizationSearch } from './resources/organizations/search/routes.ts'
import { prompts } from './resources/prompts/routes.ts'
import { DEFAULT_RATE, type RateLimit } from './resources/rate-limit.ts'
import { refreshTokens } from './resources/refresh-tokens/routes.ts'
import { resourceServers } from './resources/resource-servers/routes.ts'
import { resourceServerSearch } from './resources/resource-servers/search/routes.ts'
import { rolePermissions } from './resources/roles/permissions/routes.ts'
import { roles } from './resources/roles/routes.ts'
import { roleUsers } from './resources/roles/users/routes.ts'
import { sessions } from './resources/sessions/routes.ts'
import { signingKeys } from './resources/signing-keys/routes.ts'
import { stats } from './resources/stats/routes.ts'
import { tenantSettings } from './resources/tenant-settings/routes.ts'
import { tickets } from './resources/tickets/routes.ts'
import { userBlocks } from './resources/user-blocks/routes.ts'
import { userFactors } from './resources/users/factors/routes.ts'
import { userIdentities } from './resources/users/identities/routes.ts'
import { userOrganizations } from './resources/users/organizations/routes.ts'
import { userPermissions } from './resources/users/permissions/routes.ts'
import { revokeAccess } from './resources/users/revoke-access/routes.ts'
import { userRoles } from './resources/users/roles/routes.ts'
import { users } from './resources/users/routes.ts'

export interface IdentityDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  logger: Logger
  mail: MailSetting
  /** Where Actions run; its owner closes it. */
  runner: ActionRunner
  /** Addresses or networks of proxies whose X-Forwarded-For is believed; nobody's by default. */
  trustedProxies?: string[]
  /** How often one client may call the Management API, in each process. */
  managementRate?: RateLimit | undefined
  /** Reads TXT records, with which domains are proven; DNS unless given. */
  resolveTxt?: ResolveTxt | undefined
}

export async function createIdentity(deps: IdentityDependencies): Promise<Api> {
  const { database, secrets, clock, logger, mail, runner } = deps
  const cache = createConfigurationCache(database)
  const keyrings = createKeyrings({ database, cache, secrets })
  const resolveEnvironment = createEnvironmentResolver({ database, cache })
  const tenantLog = createTenantLog({ database, clock, logger })
  const outbox = createOutbox({ secrets, clock, mail })
  const configuration = createConfiguration({ database, cache, secrets })
  const readAttackProtection = createAttackProtection({ database, cache })
  const postLogin = createPostLogin({ database, cache, secrets, clock, runner, logger, tenantLog })
  const login = createLogin({
    database,
    configuration,
    secrets,
    clock,
    postLogin,
    tenantLog,
    attackProtection: readAttackProtection,
  })
  const { checkCode, run } = runner
  const app = createServer({ logger, trustedProxies: deps.trustedProxies })

  app.addHook('onClose', () => tenantLog.close())
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (request, reply) => {
    try {
      await database.ping()
      return { status: 'ready' }
    } catch (err) {
      request.log.error({ err }, 'the database does not answer')
      return reply.code(503).send({ status: 'unavailable' })
    }
  })

  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => {
      request.environment = await resolveEnvironment(request.raw)
    })

    await scope.register(
      async (instance) => {
        const api = instance as unknown as Api
        governManagementApi(api, { keyrings, cache, clock, tenantLog, rate: deps.managementRate ?? DEFAULT_RATE })
        await organizations({ database, clock })(api)
        await organizationSearch({ database })(api)
        await enabledConnections({ database })(api)
        await organizationConnections({ database })(api)
        await organizationClients({ database, clock })(api)
        await discoveryDomains({ database, clock })(api)
        await organizationClientGrants({ database })(api)
        await members({ database, clock, tenantLog })(api)
        await invitations({ database, secrets, clock, outbox })(api)
        await users({ database, clock, outbox, tenantLog })(api)
        await userIdentities({ database, keyrings, clock })(api)
        await userFactors({ database })(api)
        await userRoles({ database })(api)
        await userPermissions({ database })(api)
        await userOrganizations({ database })(api)
        await roles({ database })(api)
        await rolePermissions({ database })(api)
        await roleUsers({ database })(api)
        await resourceServers({ database, clock })(api)
        await resourceServerSearch({ database })(api)
        await clients({ database, secrets, clock })(api)
        await clientCredentials({ database, clock })(api)
        await clientGrants({ database, clock })(api)
        await connections({ database, clock })(api)
        await actions({ database, secrets, clock, checkCode, run })(api)
        await actionVersions({ database, secrets, clock, checkCode, run })(api)
        await actionExecutions({ database })(api)
        await actionBindings({ database, secrets, clock })(api)
        await guardian({})(api)
        await customDomains({ database, clock, resolveTxt: deps.resolveTxt ?? resolveTxt })(api)
        await tickets({ database, clock })(api)
        await verificationEmail({ database, clock, outbox, tenantLog })(api)
        await emailTemplates({ database })(api)
        await emailProvider({ database, secrets, clock })(api)
        await branding({ database })(api)
        await pageTemplate({ database })(api)
        await brandingThemes({ database, clock })(api)
        await prompts({})(api)
        await tenantSettings({ database })(api)
        await sessions({ database, clock })(api)
        await refreshTokens({ database, clock })(api)
        await revokeAccess({ database, clock })(api)
        await grants({ database, clock })(api)
        await deviceCredentials({ database, clock })(api)
        await signingKeys({ database, secrets, clock })(api)
        await attackProtection({ database })(api)
        await userBlocks({ database, secrets, clock, tenantLog, attackProtection: readAttackProtection })(api)
        await logs({ database })(api)
        await logStreams({ database, secrets, clock })(api)
        await stats({ database, clock })(api)
        await jobs({ database, secrets, clock })(api)
        await userImports({ database, secrets, clock })(api)
        await userExports({ database, clock })(api)
        await notYet(api)
      },
      { prefix: '/api/v2' },
    )

    await openapi(scope as unknown as Api, app.mounted)

    await scope.register(async (instance) => {
      await oauth({ database, configuration, keyrings, secrets, clock, postLogin, tenantLog, outbox })(
        instance as unknown as Api,
      )
    })

    await scope.register(async (instance) => {
      await exportDownloads({ database, secrets, clock })(instance as unknown as Api)
    })

    await scope.register(async (instance) => {
      const pages = instance as unknown as Api
      governPages(pages, { clock, tenantLog })
      await authorize({ database, configuration, clock, login })(pages)
      await login.routes(pages)
      await logout({ configuration, keyrings, sessions: login.sessions, secrets, clock, tenantLog })(pages)
      await ticketPages({ database, configuration, clock, outbox, tenantLog })(pages)
    })

    if (mail.kind === 'mailbox') {
      await scope.register(async (instance) => {
        const pages = instance as unknown as Api
        governPages(pages, { clock, tenantLog })
        await mailbox({ database, secrets })(pages)
      })
    }
  })
  return app
}
