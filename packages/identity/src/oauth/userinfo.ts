/**
 * /userinfo (OpenID Connect Core §5.3). Takes the JWT that an API's token is, when it names this endpoint among its
 * audiences, and the opaque token of a sign-in without an API. An ID token is neither. What Actions added to the ID token of
 * the last sign-in with the client stands beside the profile, as at Auth0.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems, Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import { type JWTPayload, jwtDecrypt } from 'jose'
import type { RequestEnvironment } from '../environments/environment.ts'
import { requireBinding, verifyJwt } from '../keys/jwt.ts'
import type { Keyrings } from '../keys/keyring.ts'
import type { PostLogin } from '../login/post-login.ts'
import { provenKey } from './dpop.ts'
import { subject } from './grant-store.ts'
import { problems } from './problems.ts'
import { userinfoKey } from './tokens/issue.ts'
import { profileClaims } from './tokens/profile.ts'

const missing = defineProblems({ missing_token: { status: 401, title: 'Send the access token as a Bearer token.' } })

interface Dependencies {
  database: Database
  keyrings: Keyrings
  secrets: Secrets
  clock: Clock
  postLogin: Pick<PostLogin, 'atUserinfo'>
}

export const userinfo = (deps: Dependencies) => async (app: Api) => {
  app.route({
    method: ['GET', 'POST'],
    url: '/userinfo',
    handler: async (request, reply) => {
      const [, scheme, token] = /^(Bearer|DPoP) ([^\s]+)$/i.exec(request.headers.authorization ?? '') ?? []
      if (!scheme || !token) throw missing.missing_token()
      const isBound = scheme.toLowerCase() === 'dpop'
      const proven = isBound ? await keyFor(deps, request, token) : undefined
      const claims = await readToken(deps, request.environment, token, proven)
      const scope = typeof claims.scope === 'string' ? claims.scope.split(' ') : []
      const organization = typeof claims.org_id === 'string' ? claims.org_id : null
      const [person] = await deps.database.once(request.environment.id, (tx) =>
        subject(tx, claims.sub!, organization, null),
      )
      // Who was removed or blocked ends here at once, a suspended organization too, whatever the token's remaining life.
      const isOut = !person?.user || person.user.blocked || !person.is_member || person.is_suspended
      if (isOut || !scope.includes('openid')) throw problems.invalid_token()
      const profile = profileClaims(person.user!, scope, request.environment.issuer)
      const key = {
        userId: claims.sub!,
        clientId: String(claims.azp ?? claims.client_id),
        organizationId: organization,
      }
      const fromActions = await deps.postLogin.atUserinfo(request.environment.id, key)
      return reply.header('cache-control', 'no-store').send({ ...profile, ...fromActions, sub: claims.sub })
    },
  })
}

/** The same proof as at the token endpoint, and made for this token; here its refusal is one of the token. */
async function keyFor(deps: Dependencies, request: FastifyRequest, accessToken: string): Promise<string> {
  const { environment, method, headers } = request
  try {
    const proof = { method, path: '/userinfo', header: headers.dpop, accessToken }
    const key = await provenKey(deps, environment, proof)
    if (key === undefined) throw problems.invalid_dpop_proof({ facts: { reason: 'A DPoP proof is required.' } })
    return key
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== 'invalid_dpop_proof') throw cause
    throw problems.refused_dpop_proof({ facts: { reason: cause.message }, cause })
  }
}

async function readToken(
  deps: Dependencies,
  environment: RequestEnvironment,
  token: string,
  key: string | undefined,
): Promise<JWTPayload> {
  const expected = {
    provenKey: key,
    issuers: [environment.issuer],
    audiences: [`${environment.issuer}userinfo`],
    now: deps.clock.now(),
  }
  if (token.split('.').length === 3) return verifyJwt(await deps.keyrings(environment.id), token, expected)
  try {
    const { payload } = await jwtDecrypt(token, userinfoKey(deps.secrets, environment.id), {
      issuer: expected.issuers,
      audience: expected.audiences,
      currentDate: expected.now,
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      // None of ours is compressed: what a few bytes would unpack to is nobody's to choose (CVE-2024-28176).
      maxDecompressedLength: 0,
    })
    requireBinding(payload, key)
    return payload
  } catch (cause) {
    throw problems.invalid_token({ cause })
  }
}
