/** What is exported, what HAProxy says of it, and what is refused because HAProxy could not carry it out. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Api } from '../../../api.ts'
import { createRandom, randomApi } from '../test-apis.ts'
import { exportHaproxy } from './haproxy.ts'
import { checkHaproxy, withoutHaproxy } from './test-haproxy.ts'
import { type Shop, startShop } from './test-shop.ts'

describe('an exported HAProxy configuration', { skip: withoutHaproxy }, () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop?.close())

  it('is one that HAProxy accepts', async () => {
    const { api, keys } = shop
    const { isValid, output } = await checkHaproxy(api, { keys })
    assert.equal(isValid, true, output)
    assert.doesNotMatch(output, /WARNING/)
  })

  it('is valid for whatever APIs are made of, once routes that it cannot express are excluded', async () => {
    const { keys } = shop
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
