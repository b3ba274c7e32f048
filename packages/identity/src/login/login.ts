/**
 * Universal Login: a small state machine over a stored transaction.
 *
 *   /authorize --begin--> organization? --> sign-in or invitation --> finish --> back to the client
 *
 *   page               comes when                                          leads on when
 *   /u/organization    the client requires one, and none was named         the name fits
 *   /u/invitation      the request carries an invitation                    joined
 *   /u/login           nobody is signed in, or a fresh sign-in was asked    the password fits
 *
 * Pages never lead to one another: each returns to `proceed`, which decides from what is stored. A page that is asked for
 * out of turn leads to the one whose turn it is.
 */

import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TenantLog } from '../logs/tenant-log.ts'
import type { ResponseChannel } from '../oauth/authorize/checks.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import { answerAddress, respond } from '../oauth/authorize/respond.ts'
import type { Client } from '../oauth/configuration.ts'
import { readParameters } from '../oauth/parameters.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import type { ReadAttackProtection } from '../resources/attack-protection/settings.ts'
import { type FinishDependencies, finishLogin } from './finish.ts'
import { createLockout, type Lockout } from './lockout.ts'
import { lookOf } from './look.ts'
import { assets, type PageName, sendErrorPage, sendPage } from './pages.ts'
import { createSessions, type Session, type Sessions } from './sessions.ts'
import { credentials } from './steps/credentials.ts'
import { invitation } from './steps/invitation.ts'
import { organization } from './steps/organization.ts'
import { createTransactions, type Transaction, type Transactions, unstored } from './transactions.ts'

export interface LoginDependencies extends FinishDependencies {
  secrets: Secrets
  attackProtection: ReadAttackProtection
  tenantLog: TenantLog
}

export interface Login {
  sessions: Sessions
  /** From a checked request to a page, or straight to the client when nothing is left to ask. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    client: Client,
    asked: AuthorizationRequest,
  ): Promise<FastifyReply>
  refuseInvitation(
    reply: FastifyReply,
    client: Client,
    channel: ResponseChannel,
    issuer: string,
    problem: Problem,
  ): Promise<FastifyReply>
  /** The pages themselves. */
  routes(app: Api): Promise<void>
}

/** What a step is given. */
export interface Visit {
  request: FastifyRequest
  reply: FastifyReply
  client: Client
  transaction: Transaction
  session: Session | undefined
}

export interface StepTools extends LoginDependencies {
  sessions: Sessions
  transactions: Transactions
  lockout: Lockout
  /** Renders a page of this transaction in the look of the client and the organization. */
  show(visit: Visit, page: PageName, values: Record<string, unknown>, status?: number): Promise<FastifyReply>
  /** On to whatever comes next. */
  proceed(visit: Visit): Promise<FastifyReply>
  refuseInvitation(visit: Visit, problem: Problem): Promise<FastifyReply>
}

export interface Step {
  name: 'organization' | 'invitation' | 'login'
  /** Whether it is this step's turn. */
  isDue(visit: Visit): boolean
  /** Whether it may be opened although it is not: a way back. */
  mayReturn?(visit: Visit): boolean
  show(tools: StepTools, visit: Visit): Promise<FastifyReply>
  submit(tools: StepTools, visit: Visit, form: Readonly<Record<string, string>>): Promise<FastifyReply>
}

const STEPS: readonly Step[] = [organization, invitation, credentials]

export function createLogin(deps: LoginDependencies): Login {
  const sessions = createSessions(deps)
  const transactions = createTransactions(deps)
  const lockout = createLockout(deps)

  const show: StepTools['show'] = async (visit, page, values, status = 200) => {
    const { client, transaction, request, reply } = visit
    const organizationId = transaction.organizationId
    const found = organizationId
      ? await deps.configuration.organization(request.environment.id, organizationId)
      : undefined
    const shown = found && { name: found.name, display_name: found.display_name }
    return sendPage(reply, page, {
      status,
      look: lookOf(request.environment, client, found),
      redirectUri: transaction.request.redirect_uri,
      inPopup: transaction.request.response_mode === 'web_message',
      values: {
        ...values,
        organization: shown,
        application: client.name,
        state: transaction.state,
        csrf: transaction.csrf,
      },
    })
  }

  const finish = async (visit: Visit, session: Session): Promise<FastifyReply> => {
    const { request, reply, client, transaction } = visit
    const asked = transaction.request
    try {
      const code = await finishLogin(deps, {
        request,
        client,
        asked,
        session,
        organizationId: transaction.organizationId,
      })
      if (transaction.state) await transactions.end(request.environment.id, transaction.state)
      return respond(reply, asked, request.environment.issuer, { code })
    } catch (error) {
      const problem = toProblem(error)
      logProblem(request.log, problem)
      // A silent request gets its answer, never a page (OpenID Connect Core §3.1.2.1).
      const mayShow = asked.response_mode === 'query' && !asked.prompt.includes('none')
      if (problem.code === 'action_failed' && mayShow) return showActionFailure(visit, problem)
      if (problem.status >= 500 && problem.code !== 'action_failed') throw error
      return respond(reply, asked, request.environment.issuer, { problem })
    }
  }

  const showActionFailure = ({ request, reply, client, transaction }: Visit, problem: Problem) =>
    sendErrorPage(request, reply, {
      status: 403,
      title: 'We couldn’t sign you in',
      text: `A step that ${client.name} runs at sign-in failed, so we stopped. Try again. If it happens again, send the details below to the support of ${client.name}.`,
      code: 'access_denied',
      reason: problem.code,
      // The client is told the same one.
      reference: String(problem.facts.correlationId),
      at: deps.clock.now(),
      application: client.name,
      continueTo: answerAddress(transaction.request, request.environment.issuer, { problem }),
      continueText: `Back to ${client.name}`,
    })

  const proceed: StepTools['proceed'] = async (visit) => {
    const due = STEPS.find((step) => step.isDue(visit))
    if (!due) return finish(visit, visit.session!)
    const status = visit.request.method === 'POST' ? 303 : 302
    return visit.reply
      .header('cache-control', 'no-store')
      .redirect(`/u/${due.name}?state=${visit.transaction.state}`, status)
  }

  const refuseInvitation = (
    reply: FastifyReply,
    client: Client,
    channel: ResponseChannel,
    issuer: string,
    problem: Problem,
  ) =>
    sendErrorPage(reply.request, reply, {
      status: 400,
      title: 'This invitation can’t be used any more',
      text: 'It may have been used already, or it has run out. Ask the person who invited you to send a new one.',
      code: 'invalid_request',
      at: deps.clock.now(),
      application: client.name,
      continueTo: answerAddress(channel, issuer, { problem }),
      continueText: `Go to ${client.name}`,
    })

  const tools: StepTools = {
    ...deps,
    sessions,
    transactions,
    lockout,
    show,
    proceed,
    refuseInvitation: ({ request, reply, client, transaction }, problem) =>
      refuseInvitation(reply, client, transaction.request, request.environment.issuer, problem),
  }

  return {
    sessions,

    async begin(request, reply, client, asked) {
      const session = await usableSession(request, client, asked, asked.organization_id)
      const nothingStored = unstored(asked, deps.clock.now())
      const due = STEPS.find((step) => step.isDue({ request, reply, client, transaction: nothingStored, session }))
      if (due && asked.prompt.includes('none')) {
        throw due.name === 'login' ? oauthProblems.login_required() : oauthProblems.interaction_required()
      }
      if (!due) return finish({ request, reply, client, transaction: nothingStored, session }, session!)
      const transaction = await transactions.begin(request, reply, asked)
      return proceed({ request, reply, client, transaction, session })
    },

    refuseInvitation,

    async routes(app) {
      for (const { path, type, body } of assets) {
        app.get(path, async (_request, reply) =>
          reply
            .type(type)
            .header('cache-control', 'public, max-age=31536000, immutable')
            .header('x-content-type-options', 'nosniff')
            .send(body),
        )
      }
      for (const step of STEPS) {
        app.get(`/u/${step.name}`, async (request, reply) => {
          const visit = await resume(request, reply, parseQuery(request.raw.url ?? '').state)
          return isOpen(step, visit) ? step.show(tools, visit) : proceed(visit)
        })
        app.post(`/u/${step.name}`, { bodyLimit: 16 * 1024 }, async (request, reply) => {
          const form = readParameters(request.body)
          const visit = await resume(request, reply, form.state)
          transactions.checkPost(request, visit.transaction, form._csrf)
          return isOpen(step, visit) ? step.submit(tools, visit, form) : proceed(visit)
        })
      }
    },
  }

  async function resume(request: FastifyRequest, reply: FastifyReply, state: string | undefined): Promise<Visit> {
    const transaction = await transactions.resume(request, state)
    const client = await deps.configuration.client(request.environment.id, transaction.request.client_id)
    if (!client)
      throw oauthProblems.invalid_request({ facts: { reason: 'This application is not known here any more.' } })
    const session = await usableSession(
      request,
      client,
      transaction.request,
      transaction.organizationId,
      transaction.startedAt,
    )
    return { request, reply, client, transaction, session }
  }

  /** The browser's sign-in, if it satisfies this request: `prompt`, `max_age` and the connections that count here. */
  async function usableSession(
    request: FastifyRequest,
    client: Client,
    asked: AuthorizationRequest,
    organizationId: string | undefined,
    startedAt?: Date,
  ): Promise<Session | undefined> {
    const session = await sessions.read(request)
    if (!session) return undefined
    const isNew = startedAt !== undefined && session.auth_time >= startedAt
    if (!isNew && (asked.prompt.includes('login') || asked.prompt.includes('select_account'))) return undefined
    const age = (deps.clock.now().getTime() - session.auth_time.getTime()) / 1000
    if (!isNew && asked.max_age !== undefined && age > asked.max_age) return undefined
    if (asked.prompt.includes('none')) return session
    const connections = await deps.configuration.connections(request.environment.id, client.client_id, organizationId)
    return connections.some(({ id }) => id === session.connection_id) ? session : undefined
  }
}

const isOpen = (step: Step, visit: Visit): boolean => {
  const due = STEPS.find((candidate) => candidate.isDue(visit))
  return due === step || (step.mayReturn?.(visit) ?? false)
}
