import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Api, HttpProxyIntegration, JwtAuthorizer, JwtExtensions } from '../api.ts'
import { createGateway } from '../gateway.ts'
import { type Bench, replaceOrThrow, startBench } from '../test-gateway.ts'
import { audience, startIssuer, type TestIssuer } from '../test-issuer.ts'

const none: JwtExtensions = {
  issuers: [],
  algorithms: [],
  requiredClaims: [],
  tenantBindings: [],
  jsonClaims: false,
}

describe('a JWT authorizer with extensions', () => {
  let bench: Bench
  let partner: TestIssuer
  let plain: Api
  before(async () => {
    bench = await startBench()
    partner = await startIssuer(() => bench.clock.now().getTime())
    plain = (await bench.load(document(''))).api
  })
  after(() => Promise.all([bench.close(), partner.close()]))
  beforeEach(() => {
    bench.upstream.seen.length = 0
  })

  const extended = (change: Partial<JwtExtensions>, api = plain): Api => ({
    ...api,
    authorizers: { tenants: { ...(api.authorizers.tenants as JwtAuthorizer), extensions: { ...none, ...change } } },
  })
  const serve = (change: Partial<JwtExtensions>): void => replaceOrThrow(bench.gateway, [extended(change)])
  const get = async (token: string, path = '/t/acme/items', host = 'acme.app.test:8080') => {
    const { status, headers } = await bench.send({ path, headers: { host, authorization: `Bearer ${token}` } })
    return { status, text: /error_description="([^"]*)"/.exec(headers['www-authenticate'] ?? '')?.[1] ?? '' }
  }

  it('accepts the algorithms it lists and no others, each with a key that fits', async () => {
    const kinds = ['RS256', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
    for (const kind of kinds) bench.issuer.addKey(kind, kind)
    const mint = (alg: string, kid = alg): string => bench.issuer.mint({}, { alg, kid })
    for (const listed of kinds) {
      serve({ algorithms: [listed] })
      for (const kind of kinds) {
        const expected = { status: 401, text: `signing method ${kind} is invalid` }
        assert.deepEqual(await get(mint(kind)), kind === listed ? { status: 200, text: '' } : expected, listed)
      }
    }
    serve({ algorithms: [...kinds] })
    for (const kind of kinds) assert.equal((await get(mint(kind))).status, 200, kind)
    // The header names an accepted algorithm, and a key of another type or curve.
    for (const [alg, kid] of [
      ['ES256', 'RS256'],
      ['RS256', 'ES256'],
      ['ES256', 'ES384'],
      ['ES384', 'ES256'],
      ['EdDSA', 'ES256'],
      ['ES256', 'EdDSA'],
    ] as const) {
      assert.deepEqual(await get(mint(alg, kid)), { status: 401, text: 'the token signature is invalid' })
    }
    for (const alg of ['HS256', 'none', 'RS384']) {
      assert.equal((await get(mint(alg, 'RS256'))).text, `signing method ${alg} is invalid`)
    }
  })

  it('uses a key only as its JWK says', async () => {
    bench.issuer.addKey('marked')
    const jwk = bench.issuer.keys.get('marked')!.publicKey.export({ format: 'jwk' })
    const { jwks } = bench.issuer.answers
    bench.issuer.answers.jwks = (response) =>
      response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'marked', alg: 'RS256' }] }))
    serve({ algorithms: ['RS256', 'PS256'], jsonClaims: true })
    const mint = (alg: string): string => bench.issuer.mint({}, { alg, kid: 'marked' })
    assert.equal((await get(mint('RS256'))).status, 200)
    assert.equal((await get(mint('PS256'))).status, 401)
    bench.issuer.answers.jwks = jwks
  })

  it('trusts several issuers, each for its own audiences and with its own keys', async () => {
    const theirs = 'https://partner.example.test'
    serve({ issuers: [{ issuer: partner.issuer, audience: [theirs] }] })
    const other = (claims = {}, header = {}): string => partner.mint({ aud: theirs, ...claims }, header)
    assert.equal((await get(bench.issuer.mint())).status, 200)
    assert.equal((await get(other())).status, 200)
    const rows: [string, string][] = [
      [other({ aud: audience }), 'the token does not have a valid audience'],
      [bench.issuer.mint({ aud: theirs }), 'the token does not have a valid audience'],
      [bench.issuer.mint({ iss: partner.issuer, aud: theirs }), 'the token signature is invalid'],
      [partner.mint({ iss: bench.issuer.issuer }), 'the token signature is invalid'],
      [other({ iss: 'https://third.example.test/' }), 'the token signature is invalid'],
      [bench.issuer.mint({ iss: 'https://third.example.test/' }), 'issuer does not match'],
    ]
    for (const [token, text] of rows) assert.deepEqual(await get(token), { status: 401, text })
    partner.answers.discovery = (response) => response.writeHead(500).end()
    serve({ issuers: [{ issuer: partner.issuer, audience: [theirs, 'another'] }] })
    assert.equal((await get(other())).text, 'OIDC discovery endpoint communication error')
    assert.equal((await get(bench.issuer.mint())).status, 200, 'one issuer that is gone takes no other along')
  })

  it('refuses tokens without the claims it requires', async () => {
    const role = 'https://example.test/role'
    serve({
      requiredClaims: [
        { name: 'email_verified', expectedValues: ['true'], isRequired: true },
        { name: role, expectedValues: ['admin', 'owner'], isRequired: true },
        { name: 'plan', expectedValues: ['pro'], isRequired: false },
        { name: 'sid', expectedValues: [], isRequired: true },
      ],
    })
    const fine = { email_verified: true, [role]: ['reader', 'owner'], sid: 's1' }
    const rows: [Record<string, unknown>, number][] = [
      [fine, 200],
      [{ ...fine, [role]: 'admin' }, 200],
      [{ ...fine, plan: 'pro' }, 200],
      [{ ...fine, plan: 'free' }, 401],
      [{ ...fine, email_verified: false }, 401],
      [{ ...fine, email_verified: undefined }, 401],
      [{ ...fine, [role]: 'admin owner' }, 401],
      [{ ...fine, [role]: 'administrator' }, 401],
      [{ ...fine, [role]: { admin: true } }, 401],
      [{ ...fine, [role]: [] }, 401],
      [{ ...fine, [role]: [['admin']] }, 401],
      [{ ...fine, sid: null }, 401],
    ]
    for (const [claims, status] of rows) {
      const answer = await get(bench.issuer.mint(claims))
      const text = status === 200 ? '' : 'the token does not have a required claim'
      assert.deepEqual(answer, { status, text }, JSON.stringify(claims))
    }
  })

  it('ties a token to the tenant in the path', async () => {
    serve({ tenantBindings: [{ claim: 'org_name', to: 'path', parameter: 'tenant' }] })
    const rows: [Record<string, unknown>, string, number][] = [
      [{ org_name: 'acme' }, '/t/acme/items', 200],
      [{ org_name: ['other', 'acme'] }, '/t/acme/items', 200],
      [{ org_name: 'a b' }, '/t/a%20b/items', 200],
      [{ org_name: 'acme' }, '/t/Acme/items', 403],
      [{ org_name: 'acme' }, '/t/globex/items', 403],
      [{ org_name: 'acme globex' }, '/t/globex/items', 403],
      [{ org_name: '[acme globex]' }, '/t/globex/items', 403],
      [{}, '/t/acme/items', 403],
      [{}, '/t/undefined/items', 403],
      [{ org_name: null }, '/t/null/items', 403],
      [{ org_name: { acme: 1 } }, '/t/acme/items', 403],
    ]
    for (const [claims, path, status] of rows) {
      bench.upstream.seen.length = 0
      const { headers, ...answer } = await bench.send({ path, token: bench.issuer.mint(claims) })
      assert.equal(answer.status, status, `${JSON.stringify(claims)} at ${path}`)
      if (status === 200) continue
      assert.equal(answer.body, '{"message":"Forbidden"}')
      assert.equal(headers['www-authenticate'], undefined)
      assert.equal(bench.logLines.at(-1)?.auth, 'the token belongs to another tenant')
      assert.equal(bench.upstream.seen.length, 0)
    }
    const token = bench.issuer.mint({ org_name: 'acme' })
    assert.equal((await get(token)).status, 200)
    assert.equal((await get(token, '/t/globex/items')).status, 403, 'a token in the cache is compared each time')
    assert.throws(
      () => serve({ tenantBindings: [{ claim: 'org_name', to: 'path', parameter: 'org' }] }),
      /the route "GET \/t\/\{tenant\}\/items" has no \{org\}, which the authorizer "tenants" compares/,
    )
  })

  it('ties a token to the tenant in the host', async () => {
    serve({ tenantBindings: [{ claim: 'org_name', to: 'hostLabel' }] })
    const token = bench.issuer.mint({ org_name: 'acme', domain: 'acme.app.test' })
    const at = async (host: string): Promise<number> => (await get(token, '/t/x/items', host)).status
    assert.deepEqual(
      [await at('acme.app.test'), await at('ACME.app.test:1'), await at('globex.app.test'), await at('acmes.app.test')],
      [200, 200, 403, 403],
    )
    serve({ tenantBindings: [{ claim: 'domain', to: 'host' }] })
    assert.deepEqual([await at('acme.app.test:1'), await at('acme.app.tests'), await at('app.test')], [200, 403, 403])
  })

  it('writes claims as JSON where it is asked to, and in AWS’s brackets otherwise', async () => {
    const mapped = (jsonClaims: boolean): Api => {
      const api = extended({ jsonClaims })
      const integrations = Object.fromEntries(
        Object.entries(api.integrations).map(([name, integration]) => [
          name,
          {
            ...(integration as HttpProxyIntegration),
            requestParameters: {
              'append:header.x-permissions': '$context.authorizer.claims.permissions',
              'append:header.x-sub': '$context.authorizer.claims.sub',
            },
          },
        ]),
      )
      return { ...api, integrations }
    }
    for (const [jsonClaims, permissions] of [
      [false, '[read:x y z]'],
      [true, '["read:x","y z"]'],
    ] as const) {
      bench.gateway.replace([mapped(jsonClaims)])
      assert.equal((await get(bench.issuer.mint({ permissions: ['read:x', 'y z'] }))).status, 200)
      const { headers } = bench.upstream.seen.at(-1)!
      assert.deepEqual([headers['x-permissions'], headers['x-sub']], [permissions, 'auth0|1'])
    }
  })

  it('is read from the definition, where what is misspelt or does nothing is an error', async () => {
    const own = (text: string): string => document(`      x-tenantry-authorizer:\n        ${text}\n`)
    // A case above has broken it.
    partner.answers.discovery = (response) =>
      response.end(JSON.stringify({ issuer: partner.issuer, jwks_uri: `${partner.issuer}jwks.json` }))
    const loaded = await bench.load(
      own(
        `{ issuers: [{ issuer: "${partner.issuer}", audience: [p] }], algorithms: [ES256, RS256], jsonClaims: true,` +
          ' requiredClaims: [{ name: a }, { name: b, expectedValues: [x], required: false }],' +
          ' tenant: [{ claim: c, pathParameter: tenant }, { claim: d, host: label }, { claim: e, host: whole }] }',
      ),
    )
    assert.deepEqual((loaded.api.authorizers.tenants as JwtAuthorizer).extensions, {
      issuers: [{ issuer: partner.issuer, audience: ['p'] }],
      algorithms: ['ES256', 'RS256'],
      requiredClaims: [
        { name: 'a', expectedValues: [], isRequired: true },
        { name: 'b', expectedValues: ['x'], isRequired: false },
      ],
      tenantBindings: [
        { claim: 'c', to: 'path', parameter: 'tenant' },
        { claim: 'd', to: 'hostLabel' },
        { claim: 'e', to: 'host' },
      ],
      jsonClaims: true,
    })
    const rows: [string, RegExp][] = [
      ['{ algorithms: [HS256] }', /"HS256" is none of RS256/],
      ['{ algorithm: [ES256] }', /"algorithm" is not known here/],
      ['{ issuers: [{ issuer: "https://x.example.test" }] }', /names 1 to 50 audiences/],
      ['{ issuers: [] }', /at least one entry/],
      ['{ requiredClaims: [{ name: a, required: false }] }', /asks for nothing/],
      ['{ tenant: [{ claim: a }] }', /must have either "pathParameter"/],
      ['{ tenant: [{ claim: a, host: sub }] }', /must have either "pathParameter"/],
      ['{ tenant: [{ pathParameter: tenant }] }', /must be the name of a claim/],
    ]
    for (const [text, error] of rows) await assert.rejects(bench.load(own(text)), error, text)
    const misspelt = document('      x-tenantry-authoriser: { jsonClaims: true }\n')
    await assert.rejects(bench.load(misspelt), /"x-tenantry-authoriser" is not known here/)
  })

  it('is refused by a strict import and by a strict gateway', async () => {
    const text = document('      x-tenantry-authorizer: { jsonClaims: true }\n')
    await assert.rejects(bench.load(text, { strict: true }), /goes beyond AWS, which a strict import refuses/)
    assert.equal((await bench.load(document(''), { strict: true })).api.authorizers.tenants?.type, 'JWT')
    const { clock } = bench
    const logger = { warn: () => undefined, info: () => undefined } as never
    assert.throws(
      () => createGateway({ apis: [extended({ jsonClaims: true })], clock, logger, strict: true }),
      /the authorizer "tenants" has extensions, which AWS does not know, and this gateway is strict/,
    )
    createGateway({ apis: [plain], clock, logger, strict: true })
  })
})

/** @param own lines of the security scheme */
const document = (own: string): string => `
openapi: 3.0.1
components:
  securitySchemes:
    tenants:
      type: oauth2
${own}      x-amazon-apigateway-authorizer:
        type: jwt
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["${audience}"] }
paths:
  /t/{tenant}/items:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "\${stageVariables.upstream}/items", payloadFormatVersion: "1.0" }
`
