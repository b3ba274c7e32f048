import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import http from 'node:http'
import { after, before, describe, it } from 'node:test'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Api } from '../../../api.ts'
import { createDiscover } from '../../../authorizers/discovery.ts'
import { createFetchJson } from '../../../authorizers/fetch-json.ts'
import { audience, startIssuer, startUpstream, type TestIssuer, type TestUpstream } from '../../../test-issuer.ts'
import { loadOpenApi } from '../../openapi.ts'
import { createRandom, randomApi } from '../test-apis.ts'
import { exportHaproxy, pemsOf } from './haproxy.ts'
import { checkHaproxy, startHaproxy, withoutHaproxy } from './test-haproxy.ts'

const document = `
openapi: 3.0.1
info: { title: shop, version: "1.0" }
x-amazon-apigateway-cors: { allowOrigins: ["https://app.example.test"], allowMethods: [GET, POST], allowHeaders: [authorization], exposeHeaders: [location], maxAge: 600, allowCredentials: true }
x-tenantry-limits: { tenant: { claim: org_id }, plan: { claim: plan }, plans: { small: { perSecond: 3, burst: 3 }, large: { perSecond: 100, burst: 100 } }, tenants: { org_small: small }, defaultPlan: large }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["${audience}", other] }
paths:
  /todos:
    get:
      security: [{ tenants: ["read:todos", "admin:todos"] }]
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: ANY
        uri: "\${stageVariables.upstream}/todos"
        requestParameters: { "overwrite:header.x-org-id": $context.authorizer.claims.org_id }
        responseParameters: { "200": { "append:header.x-answered": "yes, 100%", "remove:header.x-powered-by": "" }, "404": { "overwrite:statuscode": "410" } }
    post:
      security: [{ tenants: ["write:todos"] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/todos" }
  /pets/{id}:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: POST, uri: "\${stageVariables.upstream}/base/pets/{id}?pet={id}", timeoutInMillis: 500 }
  /pets/new:
    get:
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/new" }
  /open/{proxy+}:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: ANY
        uri: "\${stageVariables.upstream}/base/{proxy}"
        requestParameters: { "append:header.x-seen": "$request.header.x-in at \${request.path}", "append:querystring.from": $request.querystring.who }
`

describe('an exported HAProxy configuration', { skip: withoutHaproxy }, () => {
  let issuer: TestIssuer
  let upstream: TestUpstream
  let api: Api
  let keys: Record<string, Record<string, string>>
  let proxy: Awaited<ReturnType<typeof startHaproxy>>

  before(async () => {
    issuer = await startIssuer(Date.now)
    upstream = await startUpstream()
    issuer.addKey('key-2')
    const stageVariables = { issuer: issuer.issuer, upstream: upstream.url }
    const discover = createDiscover(createFetchJson())
    api = (await loadOpenApi(document, { id: 'shop', discover, stageVariables })).api
    keys = {
      tenants: pemsOf(await createFetchJson()(`${issuer.issuer}jwks.json`, { timeoutMs: 5000, maxBytes: 100_000 })),
    }
    proxy = await startHaproxy(api, { keys })
  })
  after(async () => {
    await Promise.all([proxy?.close(), issuer?.close(), upstream?.close()])
  })

  const send = (path: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET') =>
    new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>((resolve, reject) => {
      const request = http.request(
        { port: proxy.port, host: '127.0.0.1', method, path, headers, agent: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          )
        },
      )
      request.on('error', reject)
      request.end()
    })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const ask = (claims = {}, header = {}) =>
    send('/todos', bearer(issuer.mint({ scope: 'read:todos', ...claims }, header)))
  const seconds = () => Math.floor(Date.now() / 1000)

  const assertRefused = (answer: Awaited<ReturnType<typeof send>>, text: string | null) => {
    const challenge = text === null ? 'Bearer' : `Bearer scope="" error="invalid_token" error_description="${text}"`
    const { status, body, headers } = answer
    assert.deepEqual([status, body, headers['www-authenticate']], [401, '{"message":"Unauthorized"}', challenge])
    assert.equal(headers['content-type'], undefined)
    assert.match(String(headers['apigw-requestid']), /^[A-Za-z0-9+/_-]{15}=$/)
  }

  it('is one that HAProxy accepts', async () => {
    const { isValid, output } = await checkHaproxy(api, { keys })
    assert.equal(isValid, true, output)
    assert.doesNotMatch(output, /WARNING/)
  })

  it('1, 2 refuses requests without a token, and with something else', async () => {
    assertRefused(await send('/todos'), null)
    assertRefused(await send('/todos', bearer('not-a-token')), 'token contains an invalid number of segments')
    assertRefused(await send('/todos', bearer('a.b.c')), 'token is malformed')
  })

  it('3, 4, 5 accepts a token with prefix, without, and of a second key', async () => {
    const token = issuer.mint({ scope: 'read:todos' })
    assert.equal((await send('/todos', bearer(token))).status, 200)
    assert.equal((await send('/todos', { authorization: token })).status, 200)
    assert.equal((await ask({}, { kid: 'key-2' })).status, 200)
    for (const alg of ['RS384', 'RS512']) assert.equal((await ask({}, { alg })).status, 200)
  })

  it('6, 7, 8 refuses bad signatures, unknown keys and other algorithms', async () => {
    const [head, body, signature] = issuer.mint({ scope: 'read:todos' }).split('.')
    const [, other] = issuer.mint({ scope: 'admin:todos' }).split('.')
    assertRefused(await send('/todos', bearer(`${head}.${other}.${signature}`)), 'the token signature is invalid')
    assertRefused(await ask({}, { kid: 'key-9' }), 'unable to find a key that matches the key id of the token')
    assertRefused(await ask({}, { kid: undefined }), 'the token header does not have a key id')
    const forged = Buffer.from('{"alg":"HS256","kid":"key-1"}').toString('base64url')
    const mac = createHmac('sha256', keys.tenants!['key-1']!).update(`${forged}.${body}`).digest('base64url')
    assertRefused(await send('/todos', bearer(`${forged}.${body}.${mac}`)), 'signing method HS256 is invalid')
    const none = Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url')
    assertRefused(await send('/todos', bearer(`${none}.${body}.AAAA`)), 'signing method none is invalid')
  })

  it('9, 10, 11 refuses what is expired, not yet valid or issued later', async () => {
    assertRefused(await ask({ exp: seconds() - 5 }), 'the token has expired')
    assertRefused(await ask({ exp: undefined }), 'the token has expired')
    assertRefused(await ask({ exp: 'never' }), 'the token has expired')
    assertRefused(await ask({ exp: String(seconds() + 60) }), 'the token has expired')
    assertRefused(await ask({ nbf: seconds() + 60 }), 'the token is not valid yet')
    assertRefused(await ask({ nbf: 'x' }), 'the token is not valid yet')
    assertRefused(await ask({ iat: seconds() + 60 }), 'the token was issued in the future')
    assert.equal((await ask({ nbf: seconds() - 60 })).status, 200)
  })

  it('12, 13, 14, 15 compares issuer and audience, with client_id only for an absent audience', async () => {
    assertRefused(await ask({ iss: issuer.issuer.replace(/\/$/, '') }), 'issuer does not match')
    assertRefused(await ask({ aud: 'somebody' }), 'the token does not have a valid audience')
    assert.equal((await ask({ aud: ['somebody', 'other'] })).status, 200)
    assertRefused(await ask({ aud: ['somebody'] }), 'the token does not have a valid audience')
    assert.equal((await ask({ aud: undefined, client_id: 'other' })).status, 200)
    for (const aud of ['somebody', [], ['somebody'], null, {}]) {
      assertRefused(await ask({ aud, client_id: 'other' }), 'the token does not have a valid audience')
    }
  })

  it('16 to 20 wants one of the scopes of the route and method, as a whole word', async () => {
    for (const claims of [
      { scope: undefined },
      { scope: 'read:todosX' },
      { scope: 'xread:todos' },
      { scope: 'write:todos' },
    ]) {
      const { status, body, headers } = await ask(claims)
      assert.deepEqual([status, body, headers['www-authenticate']], [403, '{"message":"Forbidden"}', undefined])
    }
    assert.equal((await ask({ scope: 'x admin:todos y' })).status, 200)
    assert.equal((await ask({ scp: ['x', 'admin:todos'], scope: 'x' })).status, 200)
    assert.equal((await ask({ scp: ['x read:todos'], scope: 'read:todos' })).status, 403)
    assert.equal((await ask({ scp: 'read:todos', scope: undefined })).status, 200)
    assert.equal((await send('/todos', bearer(issuer.mint({ scope: 'read:todos' })), 'POST')).status, 403)
    assert.equal((await send('/todos', bearer(issuer.mint({ scope: 'write:todos' })), 'POST')).status, 200)
  })

  it('21 writes a claim over what the client sent, under every spelling, also when there is no claim', async () => {
    const forged = { 'x-org-id': 'forged', X_Org_Id: 'forged' }
    const token = issuer.mint({ scope: 'read:todos', org_id: 'org_1' })
    await send('/todos', { ...bearer(token), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], 'org_1')
    assert.equal(upstream.seen.at(-1)?.headers.x_org_id, undefined)
    await send('/todos', { ...bearer(issuer.mint({ scope: 'read:todos' })), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], undefined)
    await send('/todos', { ...bearer(issuer.mint({ scope: 'read:todos', org_id: 'a"b%{x}' })), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], 'a"b%{x}')
  })

  it('22, 23 answers unknown routes, and lets open ones through', async () => {
    for (const [path, method] of [
      ['/unknown', 'GET'],
      ['/todos', 'DELETE'],
      ['/Todos', 'GET'],
      ['/todos/', 'GET'],
      ['/open/', 'GET'],
      ['/open/x', 'TRACE'],
    ] as const) {
      const { status, body, headers } = await send(path, {}, method)
      assert.deepEqual(
        [path, status, body, headers['content-type']],
        [path, 404, '{"message":"Not Found"}', 'application/json'],
      )
    }
    assert.equal((await send('/open/a/b?q=1&who=me%20too', { 'x-in': 'in', 'x-forwarded-for': '9.9.9.9' })).status, 200)
    const { url, headers } = upstream.seen.at(-1)!
    assert.equal(url, '/base/a/b?q=1&who=me%20too&from=me%20too')
    assert.equal(headers['x-seen'], 'in at /open/a/b')
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers.host, new URL(upstream.url).host)
  })

  it('24 answers preflights itself, and owns the CORS headers of every answer', async () => {
    const origin = 'https://app.example.test'
    const asked = { origin, 'access-control-request-method': 'GET' }
    for (const path of ['/open/x', '/unknown']) {
      const { status, headers, body } = await send(path, asked, 'OPTIONS')
      assert.deepEqual(
        [status, body, headers['access-control-allow-origin'], headers['access-control-allow-methods']],
        [204, '', origin, 'GET,POST'],
      )
      assert.deepEqual(
        [headers['access-control-allow-credentials'], headers['access-control-max-age']],
        ['true', '600'],
      )
    }
    const foreign = await send('/open/x', { ...asked, origin: 'https://evil.example.test' }, 'OPTIONS')
    assert.deepEqual(
      [foreign.status, foreign.headers['access-control-allow-origin'], foreign.headers.vary],
      [204, undefined, 'origin'],
    )
    upstream.reply = (_request, response) =>
      response.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-methods': 'X' }).end()
    const { headers } = await send('/open/x', { origin })
    upstream.reply = null
    assert.deepEqual(
      [
        headers['access-control-allow-origin'],
        headers['access-control-allow-methods'],
        headers['access-control-expose-headers'],
      ],
      [origin, undefined, 'location'],
    )
    assert.equal((await send('/todos', { origin })).headers['access-control-allow-origin'], origin)
  })

  it('25 limits each tenant by itself', async () => {
    for (const [org_id, plan] of [
      ['org_small', 'large'],
      ['org_2', 'small'],
    ] as const) {
      const small = bearer(issuer.mint({ scope: 'read:todos', org_id, plan }))
      const all = await Promise.all(Array.from({ length: 8 }, () => send('/todos', small)))
      const statuses = all.map(({ status }) => status)
      // Three in a window of one second: a slow machine may begin a second one.
      assert.ok(statuses.filter((status) => status === 200).length >= 3, String(statuses))
      assert.ok(statuses.includes(429), String(statuses))
    }
    assert.equal((await ask({ org_id: 'org_3', plan: 'unknown' })).status, 200)
    assert.equal((await ask({ org_id: 'large' })).status, 200)
  })

  it('finds the route that the gateway finds, and reaches none under another spelling', async () => {
    const token = bearer(issuer.mint())
    assert.equal((await send('/pets/new')).status, 200)
    assert.equal((await send('/pets/7%20a&b', token)).status, 200)
    assert.deepEqual(
      [upstream.seen.at(-1)?.method, upstream.seen.at(-1)?.url],
      ['POST', '/base/pets/7%20a&b?pet=7%20a%26b'],
    )
    assertRefused(await send('/pets/7'), null)
    assert.equal((await send('/PETS/7')).status, 404)
    for (const path of [
      '//todos',
      '/./todos',
      '/open/../todos',
      '/open/%2e%2e/todos',
      '/%74odos',
      '/open/x;y',
      '/open/a%2fb',
    ]) {
      assert.deepEqual([path, (await send(path)).status], [path, 400])
    }
  })

  it('answers 503 for an integration that is late or gone, and maps the answers of one that is not', async () => {
    const token = bearer(issuer.mint({ scope: 'read:todos' }))
    upstream.reply = () => undefined
    const late = await send('/pets/7', token)
    assert.deepEqual(
      [late.status, late.body, late.headers['content-type']],
      [503, '{"message":"Service Unavailable"}', undefined],
    )
    upstream.reply = (_request, response) => response.writeHead(404, { 'x-powered-by': 'x' }).end()
    const mapped = await send('/todos', token)
    assert.deepEqual(
      [mapped.status, mapped.headers['x-powered-by'], mapped.headers['x-answered']],
      [410, 'x', undefined],
    )
    upstream.reply = (_request, response) => response.writeHead(200, { 'x-powered-by': 'x' }).end()
    const { headers } = await send('/todos', token)
    upstream.reply = null
    assert.deepEqual([headers['x-powered-by'], headers['x-answered']], [undefined, 'yes, 100%'])
  })

  it('is valid for whatever APIs are made of, once routes that it cannot express are excluded', async () => {
    for (let seed = 0; seed < 25; seed++) {
      const [random] = randomApi(createRandom(seed), 'shop', false, false)
      if (random === undefined) continue
      const all = Object.fromEntries(Object.keys(random.authorizers).map((name) => [name, keys.tenants!]))
      const exclude: string[] = []
      for (;;) {
        try {
          exportHaproxy(random, { keys: all, exclude, directory: '/etc/haproxy' })
          break
        } catch (error) {
          if (!(error instanceof Problem)) throw error
          const rows = error.facts.report as { class: string; where: string }[]
          exclude.push(...rows.filter((row) => row.class === 'refused').map(({ where }) => where))
        }
      }
      if (exclude.length === random.routes.length) continue
      const { isValid, output } = await checkHaproxy(random, { keys: all, exclude })
      assert.equal(isValid, true, `${seed}: ${output}`)
    }
  })
})

describe('an export to HAProxy', () => {
  const lambda = {
    type: 'AWS_PROXY',
    functionArn: 'arn:aws:lambda:eu-north-1:000000000001:function:f',
    payloadFormatVersion: '2.0',
    credentialsArn: null,
    timeoutMs: 50,
    requestParameters: {},
    responseParameters: {},
  } as const
  const proxy = {
    type: 'HTTP_PROXY',
    method: 'ANY',
    uri: 'http://up.example.test/',
    timeoutMs: 50,
    requestParameters: {},
    responseParameters: {},
  } as const
  const [base] = Array.from({ length: 9 }, (_, seed) => randomApi(createRandom(seed), 'shop', false, false)).flat() as [
    Api,
  ]
  const api: Api = {
    ...base,
    routes: [
      { key: 'GET /f', integration: 'f', authorization: { type: 'NONE' } },
      { key: 'GET /p', integration: 'p', authorization: { type: 'NONE' } },
    ],
    integrations: { f: lambda, p: proxy },
    authorizers: {},
    cors: null,
    stage: { ...base.stage, throttling: { rateLimit: 5, burstLimit: 10 }, routeThrottling: {}, accessLogFormat: null },
  }
  const options = { keys: {}, directory: '/etc/haproxy' }

  it('fails for a route that HAProxy cannot serve, unless it is excluded, and reports feature by feature', () => {
    assert.throws(
      () => exportHaproxy(api, options),
      /cannot be exported: shop: GET \/f \(function\): HAProxy invokes no functions\.$/,
    )
    const { report, config } = exportHaproxy(api, { ...options, exclude: ['GET /f'] })
    assert.doesNotMatch(config, /\/f\b.*set-var\(txn\.route\)/)
    assert.deepEqual([...new Set(report.map((row) => row.class))].toSorted(), ['approximate', 'exact'])
    assert.ok(report.filter((row) => row.class === 'approximate').every(({ says }) => says !== ''))
    assert.match(report.find(({ feature }) => feature === 'throttling')?.says ?? '', /sliding window/)
  })

  it('N218 refuses a domain that lets in clients with certificates alone', () => {
    const endpoints = [{ host: 'api.test', basePath: '', kind: 'mapping', truststoreUri: 's3://a/b.pem' }] as const
    assert.throws(
      () => exportHaproxy({ ...api, endpoints }, { ...options, exclude: ['GET /f'] }),
      /api\.test \(mutual TLS\): clients would need no certificate/,
    )
  })

  it('refuses mappings that it would not carry out: bodies, queries, claims with other names', () => {
    for (const [key, value, reason] of [
      ['append:header.x', '$request.body.id', /bodies are not read/],
      ['overwrite:querystring.x', '1', /taken out of a query/],
      ['append:header.x', '$context.authorizer.claims.https://x.test/id', /cannot be asked for/],
      ['overwrite:path', '/$request.header.x', /without being encoded/],
    ] as const) {
      const authorizer = {
        type: 'JWT',
        issuer: 'https://id.example.test/',
        audience: ['a'],
        identitySource: { from: 'header', name: 'authorization' },
      } as const
      const routes = [
        { key: 'GET /p', integration: 'p', authorization: { type: 'JWT', authorizer: 'a', scopes: [] } },
      ] as const
      const mapped = {
        ...api,
        routes,
        authorizers: { a: authorizer },
        integrations: { p: { ...proxy, requestParameters: { [key]: value } } },
      }
      assert.throws(() => exportHaproxy(mapped, { ...options, keys: { a: { k: 'pem' } } }), reason)
      assert.throws(() => exportHaproxy(mapped, options), /no RSA key is given/)
      const limits = {
        tenant: { from: 'claim', name: 'org_id' },
        plan: null,
        plans: { 'two words': { perSecond: 1, burst: 1 } },
        tenants: {},
        defaultPlan: 'two words',
      } as const
      const limited = { ...api, tenantLimits: limits }
      assert.throws(() => exportHaproxy(limited, { ...options, exclude: ['GET /f'] }), /cannot stand in a map/)
      const extensions = { issuers: [], algorithms: [], requiredClaims: [], tenantBindings: [], jsonClaims: true }
      const extended = { ...mapped, authorizers: { a: { ...authorizer, extensions } } }
      assert.throws(
        () => exportHaproxy(extended, { ...options, keys: { a: { k: 'pem' } } }),
        /beyond AWS would be left out/,
      )
    }
  })
})
