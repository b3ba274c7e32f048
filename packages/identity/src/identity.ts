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
import { account } from './account/account.ts'
import type { ActionRunner } from './actions/runner.ts'
import { createConfigurationCache } from './configuration-cache.ts'
import { mailbox } from './delivery/mailbox.ts'
import { createOutbox, type MailSetting } from './delivery/outbox.ts'
import { createEnvironmentResolver } from './environments/environment.ts'
import { createKeyrings } from './keys/keyring.ts'
import { deviceActivation } from './login/device/activation.ts'
import { enrolmentTicketPages } from './login/enrolment-tickets.ts'
import { createFactors } from './login/factors/factors.ts'
import { createLockout } from './login/lockout.ts'
import { createLogin } from './login/login.ts'
import { governPages } from './login/page-errors.ts'
import { createPostLogin } from './login/post-login.ts'
import { defaultTexts } from './login/texts.ts'
import { ticketPages } from './login/tickets.ts'
import { createWords } from './login/words.ts'
import { createTenantLog } from './logs/tenant-log.ts'
import { authorize } from './oauth/authorize/authorize.ts'
import { createConfiguration } from './oauth/configuration.ts'
import { logout } from './oauth/logout.ts'
import { oauth } from './oauth/oauth.ts'
import { createCredentialsExchange } from './oauth/token/credentials-exchange.ts'
import { actionBindings } from './resources/actions/bindings/routes.ts'
import { actionExecutions } from './resources/actions/executions/routes.ts'
import { actions } from './resources/actions/routes.ts'
import { createTriggered } from './resources/actions/triggered.ts'
import { actionVersions } from './resources/actions/versions/routes.ts'
import { createLeakCheck } from './resources/attack-protection/leaks.ts'
import { createNotices } from './resources/attack-protection/notices.ts'
import { attackProtection } from './resources/attack-protection/routes.ts'
import { createAttackProtection } from './resources/attack-protection/settings.ts'
import { pageTemplate } from './resources/branding/page-template/routes.ts'
import { phoneProviders } from './resources/branding/phone-providers/routes.ts'
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
import { enrollments } from './resources/guardian/enrollments/routes.ts'
import { guardian } from './resources/guardian/routes.ts'
import { createGuardian } from './resources/guardian/settings.ts'
import { exportDownloads } from './resources/jobs/exports/download.ts'
import { userExports } from './resources/jobs/exports/routes.ts'
import { userImports } from './resources/jobs/imports/routes.ts'
import { jobs } from './resources/jobs/routes.ts'
import { verificationEmail } from './resources/jobs/verification-email/routes.ts'
import { logStreams } from './resources/log-streams/routes.ts'
import { logs } from './resources/logs/routes.ts'
import { governManagementApi } from './resources/management-api.ts'
import { noneOfThese } from './resources/none-of-these.ts'
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
import { suspendedOrganizations } from './resources/organizations/suspended/routes.ts'
import { prompts } from './resources/prompts/routes.ts'
import { promptWords } from './resources/prompts/words.ts'
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
import { switchedOff } from './resources/switched-off.ts'
import { tenantSettings } from './resources/tenant-settings/routes.ts'
import { tickets } from './resources/tickets/routes.ts'
import { userBlocks } from './resources/user-blocks/routes.ts'
import { createAccountActions } from './resources/users/account-actions.ts'
import { userFactors } from './resources/users/authentication-methods/routes.ts'
import { userIdentities } from './resources/users/identities/routes.ts'
import { userOrganizations } from './resources/users/organizations/routes.ts'
import { userPermissions } from './resources/users/permissions/routes.ts'
import { revokeAccess } from './resources/users/revoke-access/routes.ts'
import { userRoles } from './resources/users/roles/routes.ts'
import { users } from './resources/users/routes.ts'
import type { BreachedPasswords } from './upstream/database/breached.ts'

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
  /** Passwords that are known from leaks; without them none is refused for that. */
  breachedPasswords?: BreachedPasswords | undefined
  /** Reads TXT records, with which domains are proven; DNS unless given. */
  resolveTxt?: ResolveTxt | undefined
}

export async function createIdentity(deps: IdentityDependencies): Promise<Api> {
  const { database, secrets, clock, logger, mail, runner } = deps
  const cache = createConfigurationCache(database)
  const keyrings = createKeyrings({ database, cache, secrets })
  const resolveEnvironment = createEnvironmentResolver({ database, cache })
  const tenantLog = createTenantLog({ database, clock, logger })
  const words = createWords({ database, cache })
  const outbox = createOutbox({ secrets, clock, mail })
  const configuration = createConfiguration({ database, cache, secrets })
  const readAttackProtection = createAttackProtection({ database, cache })
  const readGuardian = createGuardian({ database, cache })
  const notices = createNotices({ database, clock, outbox, logger, attackProtection: readAttackProtection })
  const { breachedPasswords } = deps
  const guarded = { attackProtection: readAttackProtection, tenantLog, notices }
  const lockout = createLockout({ database, secrets, clock, ...guarded })
  const refuseLeaked = createLeakCheck({ breachedPasswords, ...guarded })
  const factors = createFactors({ database, secrets, clock, outbox, tenantLog, guardian: readGuardian, lockout })
  const triggered = createTriggered({ database, cache, secrets, clock, runner, logger, tenantLog })
  const postLogin = createPostLogin({ database, triggered, factors, clock, tenantLog })
  const accountActions = createAccountActions(triggered)
  const credentialsExchange = createCredentialsExchange(triggered)
  const loginDependencies = {
    database,
    configuration,
    keyrings,
    secrets,
    clock,
    postLogin,
    tenantLog,
    lockout,
    refuseLeaked,
    outbox,
    guardian: readGuardian,
    factors,
    accountActions,
  }
  const login = createLogin(loginDependencies)
  const { checkCode, run } = runner
  const app = createServer({ logger, trustedProxies: deps.trustedProxies })

  app.addHook('onClose', async () => {
    await triggered.settled()
    await tenantLog.close()
  })
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
        await suspendedOrganizations({ database })(api)
        await enabledConnections({ database })(api)
        await organizationConnections({ database })(api)
        await organizationClients({ database, clock })(api)
        await discoveryDomains({ database, clock })(api)
        await organizationClientGrants({ database })(api)
        await members({ database, clock, tenantLog })(api)
        await invitations({ database, secrets, clock, outbox })(api)
        await users({ database, clock, outbox, tenantLog, accountActions })(api)
        await userIdentities({ database, keyrings, clock })(api)
        await userFactors({ database, secrets, clock, tenantLog })(api)
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
        await guardian({ database })(api)
        await enrollments({ database, clock, outbox, tenantLog })(api)
        await customDomains({ database, clock, resolveTxt: deps.resolveTxt ?? resolveTxt })(api)
        await tickets({ database, clock })(api)
        await verificationEmail({ database, clock, outbox, tenantLog })(api)
        await emailTemplates({ database })(api)
        await emailProvider({ database, secrets, clock })(api)
        await branding({ database })(api)
        await pageTemplate({ database })(api)
        await brandingThemes({ database, clock })(api)
        await phoneProviders({ database, secrets, clock, outbox })(api)
        await prompts({ database })(api)
        await promptWords({ database, defaults: defaultTexts })(api)
        await tenantSettings({ database })(api)
        await sessions({ database, clock })(api)
        await refreshTokens({ database, clock })(api)
        await revokeAccess({ database, clock })(api)
        await grants({ database, clock })(api)
        await deviceCredentials({ database, clock })(api)
        await signingKeys({ database, secrets, clock })(api)
        await attackProtection({ database, breachedPasswords })(api)
        await userBlocks({ database, secrets, clock, tenantLog, attackProtection: readAttackProtection })(api)
        await logs({ database })(api)
        await logStreams({ database, secrets, clock })(api)
        await stats({ database, clock })(api)
        await jobs({ database, secrets, clock })(api)
        await userImports({ database, secrets, clock })(api)
        await userExports({ database, clock })(api)
        await notYet(api)
        await noneOfThese(api)
        await switchedOff(api)
      },
      { prefix: '/api/v2' },
    )

    await openapi(scope as unknown as Api, app.mounted)

    await scope.register(async (instance) => {
      await oauth({
        database,
        configuration,
        keyrings,
        secrets,
        clock,
        postLogin,
        tenantLog,
        lockout,
        refuseLeaked,
        outbox,
        factors,
        guardian: readGuardian,
        accountActions,
        credentialsExchange,
      })(instance as unknown as Api)
    })

    await scope.register(async (instance) => {
      await exportDownloads({ database, secrets, clock })(instance as unknown as Api)
    })

    await scope.register(async (instance) => {
      const pages = instance as unknown as Api
      governPages(pages, { clock, tenantLog, words })
      await authorize({ database, configuration, keyrings, secrets, clock, tenantLog, login })(pages)
      await login.routes(pages)
      await deviceActivation({ ...loginDependencies, lockout, login })(pages)
      await logout({ configuration, keyrings, sessions: login.sessions, secrets, clock, tenantLog })(pages)
      await enrolmentTicketPages({ database, clock, factors })(pages)
      await account({
        refuseLeaked,
        database,
        configuration,
        secrets,
        clock,
        tenantLog,
        lockout,
        guardian: readGuardian,
        login,
        accountActions,
        factors,
      })(pages)
      await ticketPages({
        database,
        configuration,
        clock,
        outbox,
        tenantLog,
        secrets,
        refuseLeaked,
        sessions: login.sessions,
        lockout,
        accountActions,
      })(pages)
    })

    if (mail.kind === 'mailbox') {
      await scope.register(async (instance) => {
        const pages = instance as unknown as Api
        governPages(pages, { clock, tenantLog, words })
        await mailbox({ database, secrets })(pages)
      })
    }
  })
  return app
}
