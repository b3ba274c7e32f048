/**
 * /userinfo (OpenID Connect Core §5.3). Takes the JWT that an API's token is, when it names this endpoint among its
 * audiences, and the opaque token of a sign-in without an API. An ID token is neither.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { type JWTPayload, jwtDecrypt } from 'jose'
import type { RequestEnvironment } from '../environments/environment.ts'
import { verifyJwt } from '../keys/jwt.ts'
import type { Keyrings } from '../keys/keyring.ts'
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
}

export const userinfo = (deps: Dependencies) => async (app: Api) => {
  app.route({
    method: ['GET', 'POST'],
    url: '/userinfo',
    handler: async (request, reply) => {
      const token = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1]
      if (!token) throw missing.missing_token()
      const claims = await readToken(deps, request.environment, token)
      const scope = typeof claims.scope === 'string' ? claims.scope.split(' ') : []
      const [person] = await deps.database.once(request.environment.id, (tx) => subject(tx, claims.sub!, null, null))
      // A removed or blocked person ends here at once, whatever the token's remaining life.
      if (!person?.user || person.user.blocked || !scope.includes('openid')) throw problems.invalid_token()
      return reply.header('cache-control', 'no-store').send({ sub: claims.sub, ...profileClaims(person.user, scope) })
    },
  })
}

async function readToken(deps: Dependencies, environment: RequestEnvironment, token: string): Promise<JWTPayload> {
  const expected = {
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
    })
    return payload
  } catch (cause) {
    throw problems.invalid_token({ cause })
  }
}
