/**
 * A Lambda authorizer (format 2.0, IAM policy) for what a JWT authorizer cannot say: who may do what hangs on a role in a
 * claim of one's own. It verifies the token itself, because nobody has done it before, and answers with a policy for all
 * routes of the stage, so that one kept answer serves every request with this token.
 *
 * Issuer and audience are stage variables: the same code serves every stage, here and on AWS.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose'

const ROLE = 'https://example.test/role'

/** What each role may call: method and path as in an ARN, `*` for anything. */
const ALLOWED = {
  reader: ['GET/documents', 'GET/documents/*'],
  editor: ['GET/documents', 'GET/documents/*', 'POST/documents', 'PUT/documents/*'],
  owner: ['*'],
}
/** Whatever the role is: deleting takes more than a token. */
const DENIED = ['DELETE/documents/*/history']

/** Of each issuer, for as long as this process lives; jose fetches keys anew when there are others. */
const keySets = new Map()

export const handler = async ({ identitySource, routeArn, stageVariables }) => {
  const { issuer, audience } = stageVariables
  const [authorization] = identitySource
  const token = /^Bearer ([^\s]+)$/i.exec(authorization)?.[1]
  let claims
  try {
    ;({ payload: claims } = await jwtVerify(token ?? '', await keysOf(issuer), {
      issuer,
      audience,
      algorithms: ['RS256'],
      requiredClaims: ['exp', 'sub'],
    }))
  } catch (error) {
    // An issuer that cannot be asked is no reason to say no for as long as answers are kept: that ends in a 500.
    if (!String(error.code).startsWith('ERR_J')) throw error
    console.info('refused', error.code)
    return answer('nobody', [], routeArn)
  }
  const role = claims[ROLE]
  // A list of one would be taken for its member where it names a property.
  const isKnown = typeof role === 'string' && Object.hasOwn(ALLOWED, role)
  return answer(claims.sub, isKnown ? ALLOWED[role] : [], routeArn, isKnown ? { role } : {})
}

/** arn:aws:execute-api:region:account:api/stage/METHOD/path: what it says of the stage is the same for all routes. */
function answer(principalId, allowed, routeArn, context = {}) {
  const stage = routeArn.split('/', 2).join('/')
  const statement = (Effect, calls) =>
    calls.length === 0
      ? []
      : [{ Effect, Action: 'execute-api:Invoke', Resource: calls.map((call) => `${stage}/${call}`) }]
  const Statement = [...statement('Allow', allowed), ...statement('Deny', DENIED)]
  return { principalId, policyDocument: { Version: '2012-10-17', Statement }, context }
}

async function keysOf(issuer) {
  const known = keySets.get(issuer)
  if (known !== undefined) return known
  const response = await fetch(new URL('.well-known/openid-configuration', issuer))
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`)
  const keys = createRemoteJWKSet(new URL((await response.json()).jwks_uri))
  keySets.set(issuer, keys)
  return keys
}
