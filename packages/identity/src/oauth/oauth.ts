/**
 * The protocol endpoints: one list, in order, and the two things they share: how a refusal looks (RFC 6749 §5.2) and
 * which browser origins may read an answer.
 */
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { type ChangePasswordDependencies, changePassword } from './change-password.ts'
import { cors } from './cors.ts'
import { discovery } from './discovery.ts'
import { jwks } from './jwks.ts'
import { problems, toOAuthError } from './problems.ts'
import { revocation } from './revocation.ts'
import { type TokenDependencies, token } from './token/token.ts'
import { userinfo } from './userinfo.ts'

export const oauth = (deps: TokenDependencies & ChangePasswordDependencies) => async (app: Api) => {
  cors(app, deps.configuration)
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    if (problem.status === 401) reply.header('www-authenticate', challenge(request.routeOptions.url, problem.code))
    return reply.code(problem.status).header('cache-control', 'no-store').send(toOAuthError(problem))
  })
  app.setNotFoundHandler(() => {
    throw problems.not_found()
  })
  await discovery(app)
  await jwks(deps)(app)
  await token(deps)(app)
  await userinfo(deps)(app)
  await revocation(deps)(app)
  await changePassword(deps)(app)
}

const challenge = (route: string | undefined, code: string): string =>
  route === '/userinfo' ? `Bearer error="${code === 'missing_token' ? 'invalid_request' : 'invalid_token'}"` : 'Basic'
