/**
 * The post-login trigger: what customers' Actions see and what their decisions do. It runs at every completed sign-in,
 * silent ones too, and at every refresh. It fails closed: an Action that throws, hangs or misbehaves stops that sign-in.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyRequest } from 'fastify'
import { applyPostLogin, type FactorWish } from '../actions/post-login.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { LogEntry, TenantLog } from '../logs/tenant-log.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Client, Connection } from '../oauth/configuration.ts'
import { type ActionClaims, type Grant, type Subject, seenByActions } from '../oauth/grant-store.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import { seenRequest } from '../oauth/token/seen-request.ts'
import type { TokenRequest } from '../oauth/token/token.ts'
import { noClaims } from '../oauth/tokens/issue.ts'
import type { AskedEnds } from '../oauth/tokens/refresh.ts'
import { type ClaimsKey, keepClaims, keptClaims } from '../oauth/userinfo-store.ts'
import { clientEvent, connectionEvent, presentMembers, requestEvent } from '../resources/actions/event.ts'
import { requireSuccess, type Triggered } from '../resources/actions/triggered.ts'
import { FACTORS } from '../resources/users/authentication-methods/rules.ts'
import { pictured } from '../resources/users/avatar.ts'
import type { Demand } from './factors/demand.ts'
import type { Factors } from './factors/factors.ts'
import { createLifespans, type Held } from './lifespan-actions.ts'
import type { Returned, SentAway } from './redirect-actions.ts'
import type { Session } from './sessions.ts'
import * as store from './store.ts'
import { transactionEvent } from './transaction-event.ts'

/** What the Actions decided. */
export interface Decided {
  claims: ActionClaims
  /** Second factors that they ask for. */
  demands: Demand[]
  /** What they vouch for: names in the list of methods with which the session was proven. */
  methods: string[]
  /** What ran, for the tenant log. */
  executions: string[]
  /** When the refresh token that is exchanged ends. */
  ends: AskedEnds
  /** One of them sends the person away, and the rest is decided when they return. */
  sentAway?: SentAway
}

export interface PostLogin {
  /** @throws Problem `access_denied` with the Action's reason, `action_failed`, or `interaction_required` */
  atLogin(login: {
    request: FastifyRequest
    client: Client
    asked: AuthorizationRequest
    session: Session
    connection: Connection
    subject: Subject
    fields?: Record<string, string> | undefined
    /** The person is back from where an Action sent them. */
    returned?: Returned | undefined
    /** The entry of this sign-in in the tenant log, which names the execution. */
    about: Partial<LogEntry>
  }): Promise<Decided>
  /** Somebody who signs in without a page. @throws also Problem `mfa_required` */
  atDirectLogin(
    request: TokenRequest,
    login: { grant: Grant; subject: Subject; connection: Connection; protocol: string; actor?: object },
  ): Promise<ActionClaims>
  /** @throws also Problem `mfa_required` */
  atRefresh(
    request: TokenRequest,
    grant: Grant & Subject,
    connection: Connection,
  ): Promise<Pick<Decided, 'claims' | 'ends'>>
  /** What the Actions put into the ID token of the last sign-in with a client; nothing once none are bound. */
  atUserinfo(environmentId: string, key: ClaimsKey): Promise<Record<string, unknown>>
}

interface Dependencies {
  database: Database
  triggered: Triggered
  factors: Factors
  clock: Clock
  tenantLog: TenantLog
}

/** Groups of commands whose effect does not wait for the end of the sign-in. */
const DONE_AT_ONCE = ['user', 'session', 'redirect']

/** What of a run depends on how the person came. */
interface Way extends Held {
  /** There is a browser, whose request does not rule pages out. */
  canRedirect?: boolean
  /** What is said to one that sends the person away all the same. */
  redirectRefused?: () => Problem
  returned?: Returned | undefined
}

export function createPostLogin(deps: Dependencies): PostLogin {
  const { database, triggered, factors } = deps
  const lifespans = createLifespans(deps)

  async function run(
    environment: RequestEnvironment,
    { client_id }: Client,
    subject: Subject,
    about: Partial<LogEntry>,
    event: () => { user: object },
    { canRedirect = false, redirectRefused = oauthProblems.redirect_impossible, returned, ...held }: Way = {},
  ): Promise<Decided> {
    const { user_id } = subject.user!
    const outcome = await triggered.run(
      environment,
      'post-login',
      async () => {
        const { user, ...rest } = event()
        const seen = await lifespans.seen(environment, held)
        const organizationId = subject.organization?.id ?? null
        const [more] = await database.once(environment.id, (tx) => seenByActions(tx, user_id, organizationId))
        const { identities, roles } = more!
        const known = { ...user, identities, ...(await enrolledFactors(environment, subject)) }
        return { ...rest, ...seen, user: known, authorization: { roles } }
      },
      { user_id },
      { answers: { 'redirect.canRedirect': canRedirect }, resume: returned?.from },
    )
    if (!outcome) return { claims: noClaims, demands: [], methods: [], executions: [], ends: {} }
    const executions = [...(returned?.from.executions ?? []), outcome.executionId]
    about.details = { actions: { executions } }
    const { commands: asked, sentAway } = requireSuccess(outcome)
    const applied = applyPostLogin(asked)
    const { userMetadata, appMetadata } = applied
    if (userMetadata || appMetadata) {
      await database.once(environment.id, (tx) =>
        store.writeMetadata(tx, user_id, userMetadata ?? {}, appMetadata ?? {}),
      )
    }
    const changed = await lifespans.change({ environment, executionId: outcome.executionId, about }, held, asked)
    if (applied.denied !== undefined) throw oauthProblems.access_denied({ facts: { reason: applied.denied } })
    const claims = {
      id: applied.idTokenClaims,
      access: applied.accessTokenClaims,
      addScopes: applied.scopes.add,
      removeScopes: applied.scopes.remove,
      ...(changed.metadata ? { refreshTokenMetadata: changed.metadata } : {}),
    }
    const { ends } = changed
    const decided = { claims, demands: applied.factors.map(demandOf), methods: applied.methods, executions, ends }
    if (!sentAway) {
      const key = { userId: user_id, clientId: client_id, organizationId: subject.organization?.id ?? null }
      await database.once(environment.id, (tx) => keepClaims(tx, environment.id, key, claims.id))
      return decided
    }
    if (!canRedirect) throw redirectRefused()
    // Some is done by now, and must not be done again over what happens elsewhere meanwhile.
    const commands = asked.filter(({ type }) => !DONE_AT_ONCE.includes(type.split('.')[0]!))
    return { ...decided, sentAway: { ...sentAway, commands } }
  }

  /** The second factors that a person has, as Actions know them. */
  async function enrolledFactors(environment: RequestEnvironment, subject: Subject) {
    const { user_id, email, email_verified, name } = subject.user!
    const user = { user_id, email, email_verified, name }
    const found = await factors.enrolled({ environment, user, product: '', about: {} })
    const types = [...new Set(found.map(({ factor }) => factor))]
    return {
      enrolledFactors: types.map((type) => (type === 'sms' ? { type: 'phone', method: 'sms' } : { type })),
      ...(types.some((type) => type !== 'email') ? { multifactor: ['guardian'] } : {}),
    }
  }

  /** Where there is no page to ask on, whoever has proven less than is demanded is refused. */
  async function withoutPage(grant: Pick<Grant, 'amr'>, decided: Promise<Decided>): Promise<Decided> {
    const made = await decided
    if (made.demands.length > 0 && !grant.amr.includes('mfa')) throw oauthProblems.mfa_required()
    return made
  }

  return {
    atLogin: ({ request, client, asked, session, connection, subject, fields, returned, about }) =>
      run(
        request.environment,
        client,
        subject,
        about,
        () => ({
          ...commonEvent(request.environment, client, subject, asked.audience),
          connection: connectionEvent(connection),
          authentication: { methods: methodsOf(session) },
          request: requestEvent(request.environment, {
            ip: request.ip,
            method: request.method,
            userAgent: request.headers['user-agent'],
            query: returned?.query ?? asked.query ?? {},
            body: returned?.body ?? fields ?? {},
          }),
          transaction: transactionEvent(asked, request),
        }),
        {
          canRedirect: !asked.prompt.includes('none'),
          redirectRefused: oauthProblems.interaction_required,
          returned,
          sessionId: session.id,
        },
      ),
    atDirectLogin: async (request, { grant, subject, connection, protocol, actor }) => {
      const { claims } = await withoutPage(
        grant,
        run(request.environment, request.client, subject, request.about, () => ({
          ...commonEvent(request.environment, request.client, subject, grant.audience ?? undefined),
          connection: connectionEvent(connection),
          authentication: { methods: methodsOf(grant) },
          request: seenRequest(request),
          transaction: {
            protocol,
            requested_scopes: grant.scope,
            acr_values: [],
            metadata: {},
            ...(actor ? { actor } : {}),
          },
        })),
      )
      return claims
    },
    atRefresh: (request, grant, connection) =>
      withoutPage(
        grant,
        run(
          request.environment,
          request.client,
          grant,
          request.about,
          () => ({
            ...commonEvent(request.environment, request.client, grant, grant.audience ?? undefined),
            connection: connectionEvent(connection),
            authentication: { methods: methodsOf(grant) },
            request: seenRequest(request),
            transaction: {
              protocol: 'oauth2-refresh-token',
              requested_scopes: grant.scope,
              acr_values: [],
              metadata: {},
            },
          }),
          { sessionId: grant.session_id, grantId: grant.id },
        ),
      ),
    async atUserinfo(environmentId, key) {
      if (!(await triggered.isBound(environmentId, 'post-login'))) return {}
      const [kept] = await database.once(environmentId, (tx) => keptClaims(tx, key))
      return kept?.claims ?? {}
    },
  }
}

/** The first factor has the time of the sign-in, what was added since that of the second one. */
const methodsOf = ({ amr, auth_time, mfa_at }: Pick<Grant, 'amr' | 'auth_time' | 'mfa_at'>) =>
  amr.map((name, index) => ({ name, timestamp: (index > 0 && mfa_at ? mfa_at : auth_time).toISOString() }))

/** Auth0's types of factors; a phone gets text messages. What is not known here is nobody's factor, and ignored. */
function demandOf(wish: FactorWish): Demand {
  if (wish.kind === 'mfa') return wish
  const names = wish.types.map((type) => (type === 'phone' ? 'sms' : type))
  return { kind: wish.kind, factors: FACTORS.filter((name) => names.includes(name)) }
}

/** As everywhere else; the database writes them down in another way. */
const timesOf = (profile: { created_at: string; updated_at: string }) => ({
  created_at: new Date(profile.created_at).toISOString(),
  updated_at: new Date(profile.updated_at).toISOString(),
})

function commonEvent({ issuer }: RequestEnvironment, client: Client, subject: Subject, audience: string | undefined) {
  const { connection_id, blocked, logins_count, ...profile } = subject.user!
  const policies = client.refresh_token?.policies
  return {
    client: {
      ...clientEvent(client),
      ...(policies ? { refresh_token: { policies } } : {}),
    },
    user: { ...presentMembers(pictured(issuer, profile)), ...timesOf(profile) },
    stats: { logins_count },
    ...(subject.organization ? { organization: subject.organization } : {}),
    ...(audience === undefined ? {} : { resource_server: { identifier: audience } }),
  }
}
