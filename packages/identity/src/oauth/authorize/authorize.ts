/**
 * GET and POST /authorize (RFC 6749 §3.1, OpenID Connect Core §3.1.2).
 *
 *   client and redirect URI -> channel -> checks -> is a page needed? -> login, or a code at once
 */

import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Login } from '../../login/login.ts'
import { readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import {
  type CheckDependencies,
  checkChannel,
  checkClient,
  checkRequest,
  INVITATION_REFUSED,
  type Parameters,
} from './checks.ts'
import { respond } from './respond.ts'

export const authorize = (deps: CheckDependencies & { login: Login }) => async (app: Api) => {
  app.get('/authorize', async (request, reply) => handle(request, reply, parseQuery(request.raw.url ?? '')))
  app.post('/authorize', async (request, reply) => handle(request, reply, readParameters(request.body)))

  async function handle(request: FastifyRequest, reply: FastifyReply, parameters: Parameters) {
    const { environment } = request
    const client = await checkClient(deps, environment, parameters)
    const channel = checkChannel(client, parameters)
    try {
      const asked = await checkRequest({ deps, environment, client, parameters }, channel)
      return await deps.login.begin(request, reply, client, asked)
    } catch (error) {
      const problem = toProblem(error)
      logProblem(request.log, problem)
      // The reader of a refused invitation is the person who followed a link in a mail, not the client.
      if (problem.message === INVITATION_REFUSED && !parameters.prompt?.includes('none')) {
        return deps.login.refuseInvitation(reply, client, channel, environment.issuer, problem)
      }
      if (problem.status >= 500 && problem.code !== 'temporarily_unavailable') {
        return respond(reply, channel, environment.issuer, { problem: problems.server_error() })
      }
      return respond(reply, channel, environment.issuer, { problem })
    }
  }
}
