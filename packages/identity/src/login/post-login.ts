/**
 * The post-login trigger: what customers' Actions see and what their decisions do. It runs at every completed sign-in,
 * silent ones too, and at every refresh. It fails closed: an Action that throws, hangs or misbehaves stops that sign-in.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { applyPostLogin } from '../actions/post-login.ts'
import type { ActionRunner } from '../actions/runner.ts'
import type { ConfigurationCache } from '../configuration-cache.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { LogEntry, TenantLog } from '../logs/tenant-log.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Client, Connection } from '../oauth/configuration.ts'
import type { ActionClaims, Grant, Subject } from '../oauth/grant-store.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import type { TokenRequest } from '../oauth/token/token.ts'
import { noClaims } from '../oauth/tokens/issue.ts'
import { execution } from '../resources/actions/executions/rules.ts'
import * as executions from '../resources/actions/executions/store.ts'
import { openActionSecrets } from '../resources/actions/rules.ts'
import * as actions from '../resources/actions/store.ts'
import type { Session } from './sessions.ts'
import * as store from './store.ts'

export const problems = defineProblems({
  action_failed: { status: 403, title: 'The sign-in was stopped by an error. Reference: {correlationId}' },
})

export interface PostLogin {
  /** @throws Problem `access_denied` with the Action's reason, or `action_failed` */
  atLogin(login: {
    request: FastifyRequest
    client: Client
    asked: AuthorizationRequest
    session: Session
    connection: Connection
    subject: Subject
    /** The entry of this sign-in in the tenant log, which names the execution. */
    about: Partial<LogEntry>
  }): Promise<ActionClaims>
  atRefresh(request: TokenRequest, grant: Grant & Subject): Promise<ActionClaims>
}

interface Dependencies {
  database: Database
  cache: ConfigurationCache
  secrets: Secrets
  clock: Clock
  runner: ActionRunner
  logger: FastifyBaseLogger
  tenantLog: TenantLog
}

export function createPostLogin({
  database,
  cache,
  secrets,
  clock,
  runner,
  logger,
  tenantLog,
}: Dependencies): PostLogin {
  const deployed = async (environmentId: string) =>
    (await cache.remember(environmentId, ['actions', 'post-login'], async () => {
      const rows = await database.inEnvironment(environmentId, (tx) => actions.deployedFor(tx, 'post-login'))
      return rows.map(({ secrets: sealed, ...action }) => ({
        ...action,
        secrets: openActionSecrets(secrets, environmentId, action.actionId, sealed),
      }))
    })) ?? []

  /** Nobody waits for it: a sign-in is no slower, and does not fail, because of what is written down about it. */
  function keep(environmentId: string, row: executions.ExecutionRow): void {
    database
      .once(environmentId, (tx) => executions.insert(tx, environmentId, row))
      .catch((err: unknown) => logger.warn({ err, environment: environmentId }, 'an execution of Actions was not kept'))
  }

  async function run(
    environment: RequestEnvironment,
    subject: Subject,
    about: Partial<LogEntry>,
    event: () => Record<string, unknown>,
  ): Promise<ActionClaims> {
    const bound = await deployed(environment.id)
    if (bound.length === 0) return noClaims
    const startedAt = clock.now()
    const outcome = await runner.run({
      trigger: 'post-login',
      environmentId: environment.id,
      actions: bound,
      event: event(),
    })
    const executionId = outcome.ok ? newId.uuid() : outcome.correlationId
    about.details = { actions: { executions: [executionId] } }
    keep(environment.id, execution(executionId, 'post-login', outcome, { startedAt, endedAt: clock.now() }))
    for (const { action, lines } of outcome.logs) {
      if (lines.length > 0)
        logger.info({ environment: environment.id, action, lines }, 'an Action wrote to its console')
    }
    if (!outcome.ok) {
      const { action, reason, detail, correlationId } = outcome
      logger.warn(
        { environment: environment.id, action, reason, detail, correlationId },
        'an Action failed; the sign-in was denied',
      )
      tenantLog.add(environment.id, {
        type: 'actions_execution_failed',
        hostname: new URL(environment.origin).host,
        user_id: subject.user!.user_id,
        details: { action, reason, detail, correlationId },
      })
      throw problems.action_failed({ facts: { correlationId }, internal: `${action}: ${reason}` })
    }
    const applied = applyPostLogin(outcome.commands)
    const { userMetadata, appMetadata } = applied
    if (userMetadata || appMetadata) {
      const { user_id } = subject.user!
      await database.once(environment.id, (tx) =>
        store.writeMetadata(tx, user_id, userMetadata ?? {}, appMetadata ?? {}),
      )
    }
    if (applied.denied !== undefined) throw oauthProblems.access_denied({ facts: { reason: applied.denied } })
    return {
      id: applied.idTokenClaims,
      access: applied.accessTokenClaims,
      addScopes: applied.scopes.add,
      removeScopes: applied.scopes.remove,
    }
  }

  return {
    atLogin: ({ request, client, asked, session, connection, subject, about }) =>
      run(request.environment, subject, about, () => ({
        ...commonEvent(request.environment, client, subject, asked.audience),
        connection: {
          id: connection.id,
          name: connection.name,
          strategy: connection.strategy,
          metadata: connection.metadata,
        },
        authentication: { methods: session.amr.map((name) => ({ name, timestamp: session.auth_time.toISOString() })) },
        session: { id: session.id, ...(session.session_metadata ? { metadata: session.session_metadata } : {}) },
        request: requestEvent(request.ip, request.headers['user-agent'], request.environment, request.method),
        transaction: {
          protocol: 'oidc-basic-profile',
          requested_scopes: asked.scope,
          redirect_uri: asked.redirect_uri,
          response_type: ['code'],
          response_mode: asked.response_mode,
          prompt: asked.prompt,
          ...(asked.state === undefined ? {} : { state: asked.state }),
          ...(asked.login_hint === undefined ? {} : { login_hint: asked.login_hint }),
          acr_values: [],
          metadata: {},
        },
      })),
    atRefresh: (request, grant) =>
      run(request.environment, grant, request.about, () => ({
        ...commonEvent(request.environment, request.client, grant, grant.audience ?? undefined),
        ...(grant.session_id ? { session: { id: grant.session_id } } : {}),
        authentication: { methods: grant.amr.map((name) => ({ name, timestamp: grant.auth_time.toISOString() })) },
        request: requestEvent(request.browser.ip, request.browser.userAgent, request.environment, 'POST'),
        transaction: { protocol: 'oauth2-refresh-token', requested_scopes: grant.scope, acr_values: [], metadata: {} },
      })),
  }
}

function commonEvent(environment: RequestEnvironment, client: Client, subject: Subject, audience: string | undefined) {
  const { connection_id, blocked, logins_count, ...profile } = subject.user!
  const user = Object.fromEntries(Object.entries(profile).filter(([, value]) => value !== null))
  return {
    tenant: { id: environment.id },
    client: { client_id: client.client_id, name: client.name, metadata: client.client_metadata },
    user,
    authorization: { roles: subject.roles },
    stats: { logins_count },
    ...(subject.organization ? { organization: subject.organization } : {}),
    ...(audience === undefined ? {} : { resource_server: { identifier: audience } }),
  }
}

const requestEvent = (ip: string, userAgent: string | undefined, environment: RequestEnvironment, method: string) => ({
  ip,
  method,
  hostname: new URL(environment.origin).hostname,
  ...(userAgent ? { user_agent: userAgent.slice(0, 400) } : {}),
  query: {},
  body: {},
  geoip: {},
})
