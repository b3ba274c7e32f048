/**
 * The last step of every sign-in: the person is proven, now may they enter? Membership, connection and blocking are
 * checked here, on the server, for the page and the silent way alike; then the Actions decide; then a code is made.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import type { Keyrings } from '../keys/keyring.ts'
import { asker, type LogEntry, type TenantLog } from '../logs/tenant-log.ts'
import { frontTokens, withAuthTime } from '../oauth/authorize/front-tokens.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Granted } from '../oauth/authorize/respond.ts'
import type { Client, Configuration } from '../oauth/configuration.ts'
import { type ActionClaims, type Grant, insertGrantWithCode, noteClient } from '../oauth/grant-store.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import { admit } from './admission.ts'
import { approveDevice } from './device/approval.ts'
import type { Step } from './login.ts'
import type { PostLogin } from './post-login.ts'
import type { Absence, Returned } from './redirect-actions.ts'
import type { Session } from './sessions.ts'
import { recordMethods } from './store.ts'
import type { ActionDecision } from './transactions.ts'

const CODE_SECONDS = 120

export interface FinishDependencies {
  database: Database
  configuration: Configuration
  keyrings: Keyrings
  secrets: Secrets
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
  /** Of the login under way, which a code ends in the statement that makes it; empty when no page was needed. */
  state: string
  /** From the environment's own fields in the forms of this sign-in. */
  fields?: Record<string, string> | undefined
  /** What the Actions decided before something more was asked: they are not run again. */
  decision: ActionDecision | undefined
  /** The person is back from where an Action sent them. */
  returned: Returned | undefined
  /** What is left to ask, now that the Actions have decided. */
  dueAfter(decision: ActionDecision): Promise<Step | undefined>
}

/**
 * @returns the authorization code, tokens, or both, as they were asked for; or what the Actions decided, when something is
 *   left to ask after them, or the person is sent away by one
 * @throws Problem `access_denied`, `unauthorized`, `action_failed`, `login_required` and what else a silent request is told;
 *   nothing but the tenant log is written then
 */
export async function finishLogin(deps: FinishDependencies, finish: Finish): Promise<Outcome> {
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
    const outcome = await letIn(deps, finish, about)
    const type = typeOf(outcome, silent)
    if (type) deps.tenantLog.add(request.environment.id, { type, ...about })
    return outcome
  } catch (error) {
    const description = error instanceof Problem ? error.message : null
    deps.tenantLog.add(request.environment.id, { type: silent ? 'fsa' : 'f', ...about, description })
    throw error
  }
}

type Outcome = Granted | { decision: ActionDecision; due: Step } | { absence: Absence }

/** Of whoever is on the way to one more page there is nothing to tell yet, unless it asks for a second factor. */
function typeOf(outcome: Outcome, silent: boolean): LogEntry['type'] | undefined {
  if ('absence' in outcome) return undefined
  if ('decision' in outcome) return outcome.due.silently === 'second_factor_required' ? 'mfar' : undefined
  return silent ? 'ssa' : 's'
}

async function letIn(deps: FinishDependencies, finish: Finish, about: Partial<LogEntry>): Promise<Outcome> {
  const { request, client, asked, session, organizationId } = finish
  const { environment } = request
  if (asked.hinted_user_id !== undefined && asked.hinted_user_id !== session.user_id) {
    throw oauthProblems.login_required({ internal: 'the id_token_hint names another person' })
  }
  const { connection, subject } = await admit(deps, {
    environment,
    client,
    userId: session.user_id,
    connectionId: session.connection_id,
    organizationId,
    resourceServerIdentifier: asked.resource_server_identifier,
    about,
  })
  const whose = { user_id: session.user_id, organization_id: organizationId ?? null }
  let decision = finish.decision
  if (decision) {
    const { executions } = decision
    if (executions.length > 0) about.details = { actions: { executions } }
  } else {
    const { fields, returned } = finish
    const { sentAway, ...decided } = await deps.postLogin.atLogin({
      request,
      client,
      asked,
      session,
      connection,
      subject,
      fields,
      returned,
      about,
    })
    if (sentAway) return { absence: { ...sentAway, ...whose, executions: decided.executions } }
    decision = { ...decided, ...whose }
  }
  const due = await finish.dueAfter(decision)
  if (due) {
    if (asked.prompt.includes('none')) throw oauthProblems[due.silently]()
    return { decision, due }
  }
  const { claims, methods } = decision
  if (methods.length > 0) await deps.database.once(environment.id, (tx) => recordMethods(tx, session.id, methods))
  const now = deps.clock.now()
  const grant: Grant & { session_id: string } = {
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
    amr: [...new Set([...session.amr, ...methods])],
    mfa_at: session.mfa_at,
  }
  if (asked.device) await approveDevice(deps, request, asked.device, grant, claims)
  const code = asked.response_type.includes('code') ? await makeCode(deps, finish, grant, claims, now) : undefined
  if (code === undefined) await noteArrival(deps, finish, grant)
  const tokens = await frontTokens(deps, { environment, client, asked, grant, subject, claims, code, now })
  return { ...(code === undefined ? {} : { code }), ...tokens }
}

async function noteArrival(
  { database }: FinishDependencies,
  { request: { environment } }: Finish,
  grant: Grant & { session_id: string },
): Promise<void> {
  const known = await database.once(environment.id, (tx) => noteClient(tx, environment.id, grant, environment.issuer))
  if (known.length === 0) throw oauthProblems.login_required({ internal: 'the session was ended meanwhile' })
}

async function makeCode(
  deps: FinishDependencies,
  { request: { environment }, asked, state }: Finish,
  grant: Grant & { session_id: string },
  claims: ActionClaims,
  now: Date,
): Promise<string> {
  const code = randomHandle()
  const made = await deps.database.once(environment.id, (tx) =>
    insertGrantWithCode(
      tx,
      environment.id,
      grant,
      {
        code_hash: hashHandle(code),
        redirect_uri: asked.redirect_uri,
        code_challenge: asked.code_challenge ?? null,
        nonce: asked.nonce ?? null,
        with_auth_time: withAuthTime(asked),
        dpop_jkt: asked.dpop_jkt ?? null,
        claims,
        issuer: environment.issuer,
        expires_at: addSeconds(now, CODE_SECONDS),
      },
      now,
      state ? hashHandle(state) : null,
    ),
  )
  if (made.length === 0) throw oauthProblems.login_required({ internal: 'the session was ended meanwhile' })
  return code
}
