/**
 * GET and POST /authorize (RFC 6749 §3.1, OpenID Connect Core §3.1.2).
 *
 *   pushed or not -> client and redirect URI -> channel -> checks -> is a page needed? -> login, or a code at once
 */

import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Login } from '../../login/login.ts'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import type { Client } from '../configuration.ts'
import { redeemLoginTicket } from '../cross-origin/ticket.ts'
import { unpack } from '../par.ts'
import { readParameters } from '../parameters.ts'
import { sentTo } from '../passwordless.ts'
import { problems } from '../problems.ts'
import {
  type CheckDependencies,
  checkChannel,
  checkClient,
  checkRequest,
  INVITATION_REFUSED,
  type Parameters,
} from './checks.ts'
import type { AuthorizationRequest } from './request.ts'
import { respond } from './respond.ts'

interface Checked {
  client: Client
  parameters: Parameters
  asked: AuthorizationRequest
}

const queryOf = (request: FastifyRequest): Parameters => readParameters(parseQuery(request.raw.url ?? ''))

type Begin = (request: FastifyRequest, reply: FastifyReply, checked: Checked) => Promise<FastifyReply>

export const authorize =
  (deps: CheckDependencies & { login: Login; secrets: Secrets; tenantLog: TenantLog }) => async (app: Api) => {
    app.get('/authorize', async (request, reply) => handle(request, reply, queryOf(request)))
    app.post('/authorize', async (request, reply) => handle(request, reply, readParameters(request.body)))

    // The same request with a code that was sent by /passwordless/start, from the link in a mail or from auth0-js.
    app.get('/passwordless/verify_redirect', async (request, reply) =>
      handle(request, reply, queryOf(request), withCode),
    )

    const begin: Begin = async (request, reply, { client, parameters, asked }) =>
      deps.login.begin(request, reply, client, asked, await arrivalOf(request, client, parameters))

    const withCode: Begin = async (request, reply, { client, parameters, asked }) => {
      const { connection, recipient } = await sentTo(deps.configuration, request.environment, client, parameters)
      const sent = { connection_id: connection.id, recipient }
      return deps.login.beginWithCode(request, reply, client, asked, sent, parameters.verification_code ?? '')
    }

    async function handle(request: FastifyRequest, reply: FastifyReply, sent: Parameters, go = begin) {
      const { environment } = request
      const { parameters, isPushed } = await unpack(deps, environment, sent)
      const noting = noteRefusals(request, parameters)
      const client = await noting(() => checkClient(deps, environment, parameters))
      const channel = await noting(() => checkChannel(deps, environment, client, parameters))
      try {
        const asked = await noting(() => checkRequest({ deps, environment, client, parameters, isPushed }, channel))
        return await go(request, reply, { client, parameters, asked })
      } catch (error) {
        const problem = toProblem(error)
        logProblem(request.log, problem)
        // The reader of a refused invitation is the person who followed a link in a mail, not the client.
        if (problem.message === INVITATION_REFUSED && !parameters.prompt?.includes('none')) {
          return deps.login.refuseInvitation(reply, client, channel, parameters.organization, problem)
        }
        if (problem.status >= 500 && problem.code !== 'temporarily_unavailable') {
          return respond(reply, channel, environment.issuer, { problem: problems.server_error() })
        }
        return respond(reply, channel, environment.issuer, { problem })
      }
    }

    /**
     * What is refused before a sign-in begins is told to a person who can do nothing about it, or to an application that
     * rarely shows it: its administrator finds it in the tenant log. Only of applications that exist, as with tokens.
     */
    function noteRefusals(request: FastifyRequest, { client_id: id, redirect_uri, prompt }: Parameters) {
      return async <T>(check: () => T | Promise<T>): Promise<T> => {
        try {
          return await check()
        } catch (error) {
          const { status, message: description } = toProblem(error)
          const client = id && status < 500 ? await deps.configuration.client(request.environment.id, id) : undefined
          if (client && !client.global) {
            const type = prompt?.includes('none') ? 'fsa' : 'f'
            const about = { ...asker(request), client_id: client.client_id, client_name: client.name }
            const details = redirect_uri === undefined ? {} : { details: { redirect_uri } }
            deps.tenantLog.add(request.environment.id, { type, ...about, description, ...details })
          }
          throw error
        }
      }
    }

    /** Whom a ticket proves. One that cannot be used proves nobody, and whoever is signed in is not meant. */
    async function arrivalOf(request: FastifyRequest, client: Client, { login_ticket: ticket }: Parameters) {
      if (!ticket) return undefined
      const proven = await redeemLoginTicket(deps, request, client.client_id, ticket)
      if (proven) return proven
      const { client_id, name: client_name } = client
      const description = 'The login_ticket was used already, has run out, or belongs to another browser.'
      const entry = { type: 'fcoa' as const, ...asker(request), client_id, client_name, description }
      deps.tenantLog.add(request.environment.id, entry)
      return 'nobody'
    }
  }
