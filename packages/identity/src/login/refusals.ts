/** How a sign-in ends that cannot go on: the client is told, or the person, where only a person can do something. */
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refusalAddress, respond } from '../oauth/authorize/respond.ts'
import type { Client } from '../oauth/configuration.ts'
import { denyDevice } from './device/approval.ts'
import type { Login, LoginDependencies, StepTools, Visit } from './login.ts'
import type { PageLook } from './look.ts'
import { sendErrorPage } from './pages.ts'
import { mayStandInPopup } from './popup.ts'
import type { Transactions } from './transactions.ts'

export interface Refusals extends Pick<Login, 'refuseInvitation'>, Pick<StepTools, 'decline'> {
  /** @throws what is our own fault, or a device's to hear: a page says so */
  refuse(visit: Visit, error: unknown): Promise<FastifyReply>
}

export function createRefusals(
  deps: LoginDependencies & { transactions: Transactions },
  ofOrganization: (
    request: FastifyRequest,
    client: Client,
    idOrName: string | undefined,
  ) => Promise<{ look: PageLook }>,
): Refusals {
  const showActionFailure = async ({ request, reply, client, transaction }: Visit, problem: Problem) =>
    sendErrorPage(request, reply, {
      look: (await ofOrganization(request, client, transaction.organizationId)).look,
      status: 403,
      name: 'action-failed',
      code: 'access_denied',
      reason: problem.code,
      // The client is told the same one.
      reference: String(problem.facts.correlationId),
      at: deps.clock.now(),
      application: client.name,
      uiLocales: transaction.request.ui_locales,
      inPopup: mayStandInPopup(client, transaction.request),
      continueTo: refusalAddress(transaction.request, request.environment.issuer, problem),
      continueText: 'backLinkText',
    })

  return {
    async refuse(visit, error) {
      const { request, reply, client, transaction } = visit
      const asked = transaction.request
      const problem = toProblem(error)
      logProblem(request.log, problem)
      if (asked.device) {
        if (problem.status < 500) await denyDevice(deps, request, client, asked.device)
        throw problem
      }
      // A silent request gets its answer, never a page (OpenID Connect Core §3.1.2.1).
      const mayShow = asked.response_mode !== 'web_message' && !asked.prompt.includes('none')
      if (problem.code === 'action_failed' && mayShow) return showActionFailure(visit, problem)
      if (problem.status >= 500 && problem.code !== 'action_failed') throw error
      return respond(reply, asked, request.environment.issuer, { problem })
    },

    async decline({ request, reply, client, transaction }, problem) {
      const { environment } = request
      const asked = transaction.request
      await deps.transactions.end(environment.id, transaction.state)
      if (!asked.device) return respond(reply, asked, environment.issuer, { problem })
      await denyDevice(deps, request, client, asked.device)
      return reply.header('cache-control', 'no-store').redirect('/device/denied', 303)
    },

    refuseInvitation: async (reply, client, channel, organization, problem) =>
      sendErrorPage(reply.request, reply, {
        look: (await ofOrganization(reply.request, client, organization)).look,
        status: 400,
        name: 'invitation-unusable',
        code: 'invalid_request',
        at: deps.clock.now(),
        application: client.name,
        inPopup: mayStandInPopup(client, channel),
        continueTo: refusalAddress(channel, reply.request.environment.issuer, problem),
        continueText: 'goLinkText',
      }),
  }
}
