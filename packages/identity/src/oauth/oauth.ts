/**
 * The protocol endpoints: one list, in order, and the two things they share: how a refusal looks (RFC 6749 §5.2) and
 * which browser origins may read an answer.
 */

import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { FastifyRequest } from 'fastify'
import { avatars } from './avatars.ts'
import { type ChangePasswordDependencies, changePassword } from './change-password.ts'
import { cors } from './cors.ts'
import { clientSettings } from './cross-origin/client-settings.ts'
import { crossOrigin } from './cross-origin/cross-origin.ts'
import { deviceCode } from './device/device-code.ts'
import { discovery } from './discovery.ts'
import { PROOF_ALGORITHMS } from './dpop.ts'
import { jwks } from './jwks.ts'
import { mfa } from './mfa/mfa.ts'
import { par } from './par.ts'
import { passkey } from './passkey.ts'
import { passkeySignUp } from './passkey-sign-up.ts'
import { passwordless } from './passwordless.ts'
import { problems, toTokenError } from './problems.ts'
import { type RegistrationDependencies, registration } from './registration/registration.ts'
import { revocation } from './revocation.ts'
import { type SignupDependencies, signup } from './signup.ts'
import { type TokenDependencies, token } from './token/token.ts'
import { userinfo } from './userinfo.ts'

type Dependencies = TokenDependencies & ChangePasswordDependencies & SignupDependencies & RegistrationDependencies

export const oauth = (deps: Dependencies) => async (app: Api) => {
  cors(app, deps.configuration)
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    if (problem.code === 'too_many_attempts' || problem.code === 'too_many_factor_tries')
      reply.header('retry-after', '900')
    if (problem.status === 401) reply.header('www-authenticate', challenge(request, problem.code))
    return reply.code(problem.status).header('cache-control', 'no-store').send(toTokenError(problem))
  })
  app.setNotFoundHandler(() => {
    throw problems.not_found()
  })
  await discovery(app)
  await jwks(deps)(app)
  await token(deps)(app)
  await deviceCode(deps)(app)
  await passwordless(deps)(app)
  await mfa(deps)(app)
  await passkey(deps)(app)
  await passkeySignUp(deps)(app)
  await crossOrigin(deps)(app)
  await clientSettings(deps)(app)
  await par(deps)(app)
  await userinfo(deps)(app)
  await avatars(app)
  await revocation(deps)(app)
  await changePassword(deps)(app)
  await signup(deps)(app)
  await registration(deps)(app)
}

/** RFC 6750 §3, RFC 9449 §7.1: in the scheme that was tried. */
function challenge({ routeOptions, headers }: FastifyRequest, code: string): string {
  if (routeOptions.url !== '/userinfo') return 'Basic'
  const error = { missing_token: 'invalid_request', refused_dpop_proof: 'invalid_dpop_proof' }[code] ?? 'invalid_token'
  const isBound = /^DPoP /i.test(headers.authorization ?? '')
  return isBound ? `DPoP error="${error}", algs="${PROOF_ALGORITHMS.join(' ')}"` : `Bearer error="${error}"`
}
