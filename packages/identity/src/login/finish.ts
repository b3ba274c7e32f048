/**
 * The last step of every sign-in: the person is proven, now may they enter? Membership, connection and blocking are
 * checked here, on the server, for the page and the silent way alike; then the Actions decide; then a code is made.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import { asker, type LogEntry, type TenantLog } from '../logs/tenant-log.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Client, Configuration } from '../oauth/configuration.ts'
import { requireConnection } from '../oauth/connection.ts'
import { insertGrantWithCode, subject as readSubject, type Subject } from '../oauth/grant-store.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import { refuseSubject } from '../oauth/token/grants/subject.ts'
import * as members from '../resources/organizations/members/store.ts'
import type { PostLogin } from './post-login.ts'
import type { Session } from './sessions.ts'

const CODE_SECONDS = 120

export interface FinishDependencies {
  database: Database
  configuration: Configuration
  clock: Clock
  postLogin: PostLogin
  tenantLog: TenantLog
}

export interface Finish {
  request: FastifyRequest
  client: Client
  asked: AuthorizationRequest
  session: Session
  organizationId: string | undefined
}

/**
 * @returns the authorization code
 * @throws Problem `access_denied`, `unauthorized`, `action_failed` or `login_required`; nothing but the tenant log is
 *   written then
 */
export async function finishLogin(deps: FinishDependencies, finish: Finish): Promise<string> {
  const { request, client, asked, session, organizationId } = finish
  const silent = asked.prompt.includes('none')
  const about: Partial<LogEntry> = {
    ...asker(request),
    client_id: client.client_id,
    client_name: client.name,
    user_id: session.user_id,
    user_name: session.email,
    connection_id: session.connection_id,
    audience: asked.audience ?? null,
    scope: asked.scope.join(' '),
    organization_id: organizationId ?? null,
  }
  try {
    const code = await letIn(deps, finish, about)
    deps.tenantLog.add(request.environment.id, { type: silent ? 'ssa' : 's', ...about })
    return code
  } catch (error) {
    const description = error instanceof Problem ? error.message : null
    deps.tenantLog.add(request.environment.id, { type: silent ? 'fsa' : 'f', ...about, description })
    throw error
  }
}

async function letIn(deps: FinishDependencies, finish: Finish, about: Partial<LogEntry>): Promise<string> {
  const { request, client, asked, session, organizationId } = finish
  const { environment } = request
  const connection = await requireConnection(deps.configuration, environment.id, {
    client_id: client.client_id,
    organization_id: organizationId ?? null,
    connection_id: session.connection_id,
  })
  const read = async () => {
    const rows = await deps.database.once(environment.id, (tx) =>
      readSubject(tx, session.user_id, organizationId ?? null, asked.resource_server_identifier ?? null),
    )
    return rows[0]!
  }
  let subject: Subject = await read()
  if (organizationId && !subject.is_member && connection.assign_membership_on_login && subject.organization) {
    await deps.database.inOrganization(environment.id, organizationId, (tx) =>
      members.add(tx, environment.id, organizationId, [session.user_id]),
    )
    deps.tenantLog.add(environment.id, { type: 'organization_member_added', ...about })
    subject = await read()
  }
  Object.assign(about, {
    connection: connection.name,
    strategy: connection.strategy,
    strategy_type: connection.strategy === 'auth0' ? 'database' : null,
    user_name: subject.user?.email ?? subject.user?.name ?? null,
    organization_name: subject.organization?.name ?? null,
  })
  refuseSubject({ ...subject, user_id: session.user_id, organization_id: organizationId ?? null })

  const claims = await deps.postLogin.atLogin({ request, client, asked, session, connection, subject, about })
  const code = randomHandle()
  const now = deps.clock.now()
  const made = await deps.database.once(environment.id, (tx) =>
    insertGrantWithCode(
      tx,
      environment.id,
      {
        id: newId.uuid(),
        user_id: session.user_id,
        client_id: client.client_id,
        organization_id: organizationId ?? null,
        audience: asked.audience ?? null,
        resource_server_identifier: asked.resource_server_identifier ?? null,
        scope: asked.scope,
        session_id: session.id,
        connection_id: connection.id,
        auth_time: session.auth_time,
        amr: session.amr,
      },
      {
        code_hash: hashHandle(code),
        redirect_uri: asked.redirect_uri,
        code_challenge: asked.code_challenge ?? null,
        nonce: asked.nonce ?? null,
        with_auth_time: asked.max_age !== undefined || asked.prompt.includes('login'),
        claims,
        issuer: environment.issuer,
        expires_at: addSeconds(now, CODE_SECONDS),
      },
      now,
    ),
  )
  if (made.length === 0) throw oauthProblems.login_required({ internal: 'the session was ended meanwhile' })
  return code
}
