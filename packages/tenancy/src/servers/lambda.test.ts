import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { currentIdentity, identityIfAny } from '../identity/context.ts'
import { requireScope } from '../identity/saas-identity.ts'
import { AUDIENCE, startIssuer, TENANT_CLAIM } from '../token/test-issuer.ts'
import { createVerifier } from '../token/verifier.ts'
import { type Authenticate, createAuthenticator } from './http.ts'
import { type ApiAnswer, type ApiEvent, tenantRoute, trustGateway } from './lambda.ts'

const A = 'A'.repeat(24)
const B = 'B'.repeat(24)
let issuer: Awaited<ReturnType<typeof startIssuer>>
let authenticate: Authenticate
before(async () => {
  issuer = await startIssuer()
  const verifier = createVerifier({ issuer: issuer.issuer, audience: AUDIENCE })
  authenticate = createAuthenticator({ verifier, tenantClaim: TENANT_CLAIM })
})
after(() => issuer.close())

interface GoldenEvent extends ApiEvent {
  headers: Record<string, string>
  multiValueHeaders?: Record<string, string[]>
  requestContext: { apiId: string; authorizer?: object }
}
/** An event as the gateway makes it, from its golden files. */
const golden = (name: string): GoldenEvent =>
  JSON.parse(
    readFileSync(new URL(`../../../gateway/src/payload/testdata/events/${name}/out.json`, import.meta.url), 'utf8'),
  )

/** The event with a token, in either format. */
function withToken(name: string, token: string, header = 'authorization'): GoldenEvent {
  const event = golden(name)
  event.headers[header] = `Bearer ${token}`
  if (event.multiValueHeaders) event.multiValueHeaders[header] = [`Bearer ${token}`]
  return event
}
const me = async (event: ApiEvent, context?: { awsRequestId: string }) => {
  await wait(Math.random() * 4)
  return { statusCode: 200, body: `${currentIdentity().tenantId} ${event === undefined} ${context?.awsRequestId}` }
}
const refusal = (answer: unknown) => {
  const { statusCode, body, headers } = answer as ApiAnswer
  return [statusCode, JSON.parse(body).code, headers['www-authenticate']]
}

for (const name of ['1-minimal', '2-minimal', '1-everything', '2-everything']) {
  test(`the handler runs as the caller of an event (${name}), and gets all that Lambda gives`, async () => {
    const handler = tenantRoute(authenticate, 'read:item')(me)
    const token = await issuer.token()
    for (const header of ['authorization', 'Authorization']) {
      const event = withToken(name, token, header)
      for (const other of ['authorization', 'Authorization'].filter((each) => each !== header)) {
        delete event.headers[other]
        delete event.multiValueHeaders?.[other]
      }
      assert.deepEqual(await handler(event, { awsRequestId: 'r-1' }), { statusCode: 200, body: `${A} false r-1` })
    }
  })
}

test('refused events are answered in the shape that both formats take', async () => {
  const handler = tenantRoute(authenticate, 'delete:item')(me)
  assert.deepEqual(refusal(await handler(golden('2-minimal'))), [401, 'token_missing', 'Bearer'])
  const scope = 'Bearer error="insufficient_scope", scope="delete:item"'
  assert.deepEqual(refusal(await handler(withToken('1-minimal', await issuer.token()))), [403, 'scope_missing', scope])
  const invalid = 'Bearer error="invalid_token"'
  assert.deepEqual(refusal(await handler(withToken('2-minimal', 'a.b.c'))), [401, 'token_malformed', invalid])
  assert.deepEqual(refusal(await handler({ headers: null, multiValueHeaders: null })), [401, 'token_missing', 'Bearer'])
  const inside = tenantRoute(authenticate)(async () => requireScope(currentIdentity(), 'delete:item'))
  assert.deepEqual(refusal(await inside(withToken('2-minimal', await issuer.token()))), [403, 'scope_missing', scope])
})

test('two Authorization headers are refused, in whichever way the event shows them', async () => {
  const handler = tenantRoute(authenticate)(me)
  const [a, b] = [await issuer.token(), await issuer.token({ [TENANT_CLAIM]: B })]
  const both = withToken('2-minimal', a)
  both.headers.Authorization = `Bearer ${b}`
  const joined = withToken('2-minimal', `${a},Bearer ${b}`)
  const lists = withToken('1-minimal', a)
  lists.multiValueHeaders!.authorization!.push(`Bearer ${b}`)
  for (const event of [both, joined, lists]) assert.equal(refusal(await handler(event))[1], 'token_malformed')
})

test('W12 what an event says of its authorizer is not believed: it is JSON that any invoker can write', async () => {
  const handler = tenantRoute(authenticate)(me)
  for (const name of ['2-jwt-claims', '2-lambda-context', '1-lambda-context']) {
    const event = golden(name)
    event.requestContext.authorizer = {
      jwt: { claims: { sub: 'x', [TENANT_CLAIM]: B } },
      lambda: { sub: 'x', [TENANT_CLAIM]: B },
    }
    assert.deepEqual(refusal(await handler(event)), [401, 'token_missing', 'Bearer'])
    const honest = { ...event, headers: { authorization: `Bearer ${await issuer.token()}` }, multiValueHeaders: null }
    assert.match(((await handler(honest)) as ApiAnswer).body, /^A{24} /)
  }
})

test('a warm function serves one caller after the other and many at once without mixing them', async () => {
  const seen: (string | undefined)[] = []
  const handler = tenantRoute(authenticate)(async () => {
    setTimeout(() => seen.push(identityIfAny()?.tenantId), 10)
    if (Math.random() < 0.3) throw new Error('the password is hunter2')
    return me({})
  })
  const [a, b] = [await issuer.token(), await issuer.token({ [TENANT_CLAIM]: B })]
  await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const answer = await handler(withToken('2-minimal', n % 2 ? a : b)).catch((error) => error)
      if (answer instanceof Error) assert.equal(answer.message, 'the password is hunter2')
      else assert.match((answer as ApiAnswer).body, n % 2 ? /^A{24} / : /^B{24} /)
    }),
  )
  while (seen.length < 100) await wait(5)
  assert.deepEqual([seen.filter((id) => id === A).length, seen.filter((id) => id === B).length], [50, 50])
  assert.equal(identityIfAny(), undefined)
})

const seconds = () => Math.floor(Date.now() / 1000)
const trusted = (more: object = {}) =>
  trustGateway({
    because: 'only the gateway can invoke this function',
    apiIds: ['shop'],
    authorizer: 'jwt',
    issuer: 'https://login.example/',
    tenantClaim: TENANT_CLAIM,
    rolesClaim: 'roles',
    ...more,
  })
const claimsOf = (more: object = {}) => ({
  iss: 'https://login.example/',
  sub: 'auth0|maria',
  exp: String(seconds() + 600),
  scope: 'read:item',
  permissions: '[read:item create:item]',
  [TENANT_CLAIM]: A,
  ...more,
})
const jwtEvent = (claims: object | undefined, format: 1 | 2 = 2, apiId = 'shop'): GoldenEvent => {
  const event = golden(format === 2 ? '2-jwt-claims' : '1-minimal')
  event.requestContext = {
    ...event.requestContext,
    apiId,
    authorizer: format === 2 ? { jwt: { claims, scopes: null } } : { claims },
  }
  return event
}

test('a gateway that is trusted by name names the caller, in both formats', async () => {
  const handler = tenantRoute(
    trusted(),
    'read:item',
  )(async () => [...currentIdentity().permissions, currentIdentity().tenantId])
  assert.deepEqual(await handler(jwtEvent(claimsOf())), [A])
  assert.deepEqual(await handler(jwtEvent(claimsOf({ permissions: '["read:item"]' }))), ['read:item', A])
  const cognito = claimsOf({ exp: new Date(Date.now() + 600_000).toUTCString() })
  assert.deepEqual(await handler(jwtEvent(cognito, 1)), [A])
})

const untrusted: [string, () => GoldenEvent, string][] = [
  ['of another API', () => jwtEvent(claimsOf(), 2, 'other'), 'token_missing'],
  ['of a route without authorizer', () => golden('2-minimal'), 'token_missing'],
  ['of a route with another kind of authorizer', () => golden('2-lambda-context'), 'token_missing'],
  ['without claims', () => jwtEvent(undefined), 'token_missing'],
  ['of another issuer', () => jwtEvent(claimsOf({ iss: 'https://evil.example/' })), 'issuer_refused'],
  ['whose token has expired', () => jwtEvent(claimsOf({ exp: String(seconds() - 1) })), 'token_expired'],
  ['without an expiry', () => jwtEvent(claimsOf({ exp: undefined })), 'claim_invalid'],
  ['without a subject', () => jwtEvent(claimsOf({ sub: ' ' })), 'claim_invalid'],
  ['without a tenant', () => jwtEvent(claimsOf({ [TENANT_CLAIM]: undefined })), 'tenant_refused'],
  ['with a list of tenants', () => jwtEvent(claimsOf({ [TENANT_CLAIM]: `[${A}]` })), 'tenant_refused'],
  ['with roles that cannot be told from a text', () => jwtEvent(claimsOf({ roles: '[admin clerk]' })), 'claim_invalid'],
]
for (const [what, event, code] of untrusted) {
  test(`W13 an event ${what} is refused as ${code} where the gateway is trusted`, async () => {
    assert.equal(refusal(await tenantRoute(trusted())(me)(event()))[1], code)
  })
}

test('the context of a Lambda authorizer names the caller where that is said, in both formats', async () => {
  const lambda = trusted({
    authorizer: 'lambda',
    issuer: undefined,
    tenantClaim: 'tenant',
    tenantIdPattern: /[a-z]{4}/,
  })
  const handler = tenantRoute(lambda)(async () => `${currentIdentity().subject} ${currentIdentity().tenantId}`)
  assert.equal(await handler(golden('1-lambda-context')), 'device-7 acme')
  const event = golden('2-lambda-context')
  assert.equal(refusal(await handler(event))[1], 'claim_invalid')
  event.requestContext.authorizer = { lambda: { sub: 'device-8', tenant: 'acme' } }
  assert.equal(await handler(event), 'device-8 acme')
  assert.equal(refusal(await handler(golden('2-lambda-empty')))[1], 'token_missing')
  assert.equal(refusal(await handler(golden('2-jwt-claims')))[1], 'claim_invalid')
})

test('trust has to be said in so many words', () => {
  assert.throws(() => trusted({ because: 'true' }), /say so, or verify/)
  assert.throws(() => trusted({ apiIds: [] }), /at least one id/)
  assert.throws(() => trusted({ issuer: undefined }), /issuer/)
})
