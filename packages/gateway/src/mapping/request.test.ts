import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { type Bench, type Received, type Send, startBench } from '../test-gateway.ts'
import type { Seen } from '../test-issuer.ts'
import type { Parameters } from './rules.ts'

const document = `
openapi: 3.0.1
info: { title: shop, version: "1" }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["https://api.example.test"] }
paths:
  /orders/{id}/{rest+}:
    x-amazon-apigateway-any-method:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/base/{rest}?own=1", timeoutInMillis: 5000 }
`

describe('request mappings', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench(document)
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
  })

  const map = (requestParameters: Parameters, variables: Parameters = {}): Promise<void> =>
    bench.serve(document, { requestParameters }, variables)
  const send = (options: Options = {}): Promise<Received> => {
    const { claims = {}, headers = {}, ...rest } = options
    const authorization = `Bearer ${bench.issuer.mint(claims)}`
    const all = Array.isArray(headers)
      ? ['authorization', authorization, ...headers]
      : { authorization, ...(headers as Record<string, string>) }
    return bench.send({ path: '/orders/7/a/b', ...rest, headers: all })
  }
  /** What the upstream saw of a request that was passed on. */
  const seen = async (options: Options = {}): Promise<Seen> => {
    const { status, body } = await send(options)
    assert.equal(status, 200, body)
    return bench.upstream.seen.pop()!
  }
  const refused = async (options: Options, status = 400): Promise<void> => {
    const answer = await send(options)
    assert.equal(answer.status, status, answer.body)
    assert.deepEqual(bench.upstream.seen, [])
  }
  type Options = Send & { claims?: Record<string, unknown> }

  it('change nothing of a request that has none', async () => {
    await map({})
    const { url, headers } = await seen({ path: '/orders/7/a/b?x=1', headers: { 'x-own': 'kept' } })
    assert.deepEqual([url, headers['x-own']], ['/base/a/b?own=1&x=1', 'kept'])
  })

  it('append, overwrite and remove headers, from every source', async () => {
    await map(
      {
        'append:header.x-trace': '$request.header.X-Correlation',
        'remove:header.X-Correlation': "''",
        'overwrite:header.x-order': '$request.path.id',
        'overwrite:header.x-rest': '$request.path.rest',
        'overwrite:header.x-path': '$request.path',
        'overwrite:header.x-query': '$request.querystring.q',
        'overwrite:header.x-sub': '$context.authorizer.claims.sub',
        'overwrite:header.x-roles': '$context.authorizer.claims.roles',
        'overwrite:header.x-stage': '$stageVariables.colour',
        'overwrite:header.x-static': 'plain text',
        'overwrite:header.x-mixed': `\${context.stage}/\${request.querystring.q} at $context.httpMethod`,
        'overwrite:header.host': 'internal.test:8443',
      },
      { colour: 'blue' },
    )
    const { headers } = await seen({
      path: '/orders/a%20b/x/y%2Bz?q=1&q=two%20words',
      headers: { 'x-correlation': 'c-1', 'x-trace': 't-0', 'x-order': 'mine', 'x-static': 'mine' },
      claims: { roles: ['a', 'b'] },
    })
    const expected = {
      'x-trace': 't-0, c-1',
      'x-correlation': undefined,
      'x-order': 'a b',
      'x-rest': 'x/y+z',
      'x-path': '/orders/a%20b/x/y+z',
      'x-query': '1,two words',
      'x-sub': 'auth0|1',
      'x-roles': '[a b]',
      'x-stage': 'blue',
      'x-static': 'plain text',
      'x-mixed': '$default/1,two words at GET',
      host: 'internal.test:8443',
    }
    for (const [name, value] of Object.entries(expected)) assert.equal(headers[name], value, name)
  })

  it('that are alike on two routes read each route’s own variables', async () => {
    const second = document
      .slice(document.indexOf('  /orders/'))
      .replaceAll('/orders/{id}/', '/shelves/{shelf}/orders/{id}/')
    await bench.serve(document + second, { requestParameters: { 'overwrite:header.x-order': '$request.path.id' } })
    const orders: unknown[] = []
    for (const path of ['/orders/7/a', '/shelves/1/orders/8/a', '/orders/9/a']) {
      orders.push((await seen({ path })).headers['x-order'])
    }
    assert.deepEqual(orders, ['7', '8', '9'])
  })

  it('append, overwrite and remove query parameters, and keep what they do not name byte for byte', async () => {
    await map({
      'append:querystring.tag': 'new tag&x=y',
      'overwrite:querystring.tenant': '$context.authorizer.claims.org_id',
      'remove:querystring.debug': "''",
    })
    const { url } = await seen({
      path: '/orders/7/a?tag=%61&keep=%7e&tenant=x&debug=1&debug',
      claims: { org_id: 'o&1' },
    })
    assert.equal(url, '/base/a?own=1&tag=%61&keep=%7e&tenant=o%261&tag=new%20tag%26x%3Dy')
  })

  it('N202 leave a client no spelling of an overwritten header, also when there is no value for it', async () => {
    await map({ 'overwrite:header.X-Org-Id': '$context.authorizer.claims.org_id' })
    const spellings = ['X-Org-Id', 'x-org-id', 'x_org_id', 'X_ORG-ID', 'x.org.id', 'X-Org_Id']
    const forged = spellings.flatMap((name) => [name, 'forged'])
    for (const [claims, expected] of [
      [{ org_id: 'verified' }, ['x-org-id', 'verified']],
      [{}, []],
      [{ org_id: null }, []],
    ] as const) {
      const { rawHeaders } = await seen({ headers: [...forged, 'x-organ', 'kept'], claims })
      const about = rawHeaders.filter((_, i) => /org.id/i.test(rawHeaders[i & ~1]!))
      assert.deepEqual(about, expected)
      assert.ok(rawHeaders.includes('x-organ'))
    }
  })

  it('N202 do the same for query parameters', async () => {
    await map({ 'overwrite:querystring.org_id': '$context.authorizer.claims.org_id' })
    const forged = ['org_id=f', 'org%5Fid=f', 'ORG_ID=f', 'org-id=f', 'org_id[]=f', 'org_id%5B0%5D=f', '+org_id=f']
    const more = ['%6Frg_id=f', 'x=1;org_id=f', 'org_id', 'org.id=f', 'org_id%00x=f', '%ff%00;org_id=f']
    const path = `/orders/7/a?${[...forged, 'organ=kept', ...more].join('&')}`
    assert.equal((await seen({ path, claims: { org_id: 'v' } })).url, '/base/a?own=1&organ=kept&org_id=v')
    assert.equal((await seen({ path })).url, '/base/a?own=1&organ=kept')
  })

  it('N202 let no client stand in for a verified value that is absent, when it is appended', async () => {
    await map({
      'append:header.x-user': '$context.authorizer.claims.user',
      'append:header.x-note': '$request.header.x-n',
    })
    const honest = await seen({ headers: ['x-user', 'me', 'x_user', 'me', 'x-note', 'own'], claims: { user: 'u' } })
    assert.equal(honest.headers['x-user'], 'me, u')
    assert.equal(honest.headers.x_user, undefined)
    assert.equal(honest.headers['x-note'], 'own')
    const forged = await seen({ headers: ['x-user', 'me', 'x_user', 'me'] })
    assert.deepEqual([forged.headers['x-user'], forged.headers.x_user], [undefined, undefined])
  })

  it('N203 come after the removal of hop-by-hop headers, and read none of them', async () => {
    await map({
      'overwrite:header.x-org-id': '$context.authorizer.claims.org_id',
      'overwrite:header.x-b': '$request.header.x-a',
    })
    const headers = ['Connection', 'close, x-org-id, x-a, x-b', 'x-a', '1', 'x-b', '2', 'x-org-id', 'forged']
    const seenNow = await seen({ headers, claims: { org_id: 'o' } })
    assert.deepEqual([seenNow.headers['x-org-id'], seenNow.headers['x-b']], ['o', undefined])
  })

  it('N210 write no value into a head that could end a line there', async () => {
    await map({ 'overwrite:header.x-name': '$context.authorizer.claims.name' })
    for (const name of ['a\r\nx-admin: 1', 'a\nb', 'a\rb', 'a\0b', 'a\u007fb']) await refused({ claims: { name } })
    // In latin1, the low bytes of these are CR and LF.
    for (const name of ['č\u010d\u010ax-admin: 1', 'Müller, Jörg', '日本', '\ud800']) {
      const { rawHeaders } = await seen({ claims: { name } })
      const value = rawHeaders[rawHeaders.indexOf('x-name') + 1]!
      assert.equal(Buffer.from(value, 'latin1').toString('utf8'), name.toWellFormed())
    }
    await map({ 'overwrite:header.x-name': '$request.querystring.n' })
    await refused({ path: '/orders/7/a?n=%0d%0ax-admin:1' })
    await refused({ path: `/orders/7/a?n=%C4%8A${'x'.repeat(3_000)}%0a` })
  })

  it('N210 write lists as AWS does, which loses where a member ends, and decide nothing by what was lost', async () => {
    await map({ 'overwrite:header.x-roles': '$context.authorizer.claims.roles' })
    const written: unknown[] = []
    for (const roles of [
      ['reader', 'admin'],
      ['reader admin'],
      ['reader', 'admin', ''],
      ['reader] [admin'],
      ['a,b', '"c"'],
    ]) {
      written.push((await seen({ claims: { roles } })).headers['x-roles'])
    }
    assert.deepEqual(written, ['[reader admin]', '[reader admin]', '[reader admin ]', '[reader] [admin]', '[a,b "c"]'])
    await refused({ claims: { roles: ['reader', 'a\r\nx-admin: 1'] } })
    // A scope counts as the member that it is in the token, not as a word of that text.
    await bench.serve(document.replace('tenants: [] }', 'tenants: [admin] }'), {})
    for (const scp of [['reader admin'], ['reader] [admin'], ['admin,reader'], 'reader,admin']) {
      await refused({ claims: { scp } }, 403)
    }
    await seen({ claims: { scp: ['reader', 'admin'] } })
  })

  it('map a non-ASCII header of the client to the same bytes', async () => {
    await map({ 'overwrite:header.x-b': '$request.header.x-a' })
    const name = Buffer.from('Jörg 日本').toString('latin1')
    const { rawHeaders } = await seen({ headers: { 'x-a': name } })
    assert.equal(rawHeaders[rawHeaders.indexOf('x-b') + 1], name)
  })

  it('overwrite the path with what the definition says, and keep both queries', async () => {
    await map({ 'overwrite:path': `/internal/\${request.path}` })
    assert.equal((await seen({ path: '/orders/7/a/b?x=1' })).url, '/internal/orders/7/a/b?own=1&x=1')
    await map({ 'overwrite:path': '/public/$request.path.rest' })
    assert.equal((await seen({ path: '/orders/7/a%20b/%63/' })).url, '/public/a%20b/c/?own=1')
    await map(
      { 'overwrite:path': `$stageVariables.prefix/\${context.authorizer.claims.org_id}/x` },
      { prefix: '/v2/t' },
    )
    assert.equal((await seen({ claims: { org_id: 'a b@c' } })).url, '/v2/t/a%20b@c/x?own=1')
    await map({ 'overwrite:path': 'staticValue' })
    assert.equal((await seen()).url, '/staticValue?own=1')
  })

  it('N204 N213 let a client add no segment, dots, query or request to an overwritten path', async () => {
    await map({ 'overwrite:path': `/tenants/.\${request.header.x-t}/items/\${request.querystring.i}` })
    const at = (t: string, i = '1') => ({ path: `/orders/7/a?i=${i}`, headers: { 'x-t': t } })
    assert.equal((await seen(at('a?b#c'))).url, '/tenants/.a%3Fb%23c/items/1?own=1&i=1')
    for (const t of ['.', 'a/b', '/', 'a\\b', '%2e%2e', 'a%2fb', 'a;b', '', '\uff0f'.normalize('NFKC')])
      await refused(at(t))
    for (const i of ['..', '.', '%2e%2e', 'a%2Fb', '%2e%2e%2fadmin', '%00', '%0d%0aGET%20/', '%5c', '%ef%bc%8f', '']) {
      await refused(at('a', i))
    }
    await refused({ path: '/orders/7/a', headers: { 'x-t': 'a' } })
    await map({ 'overwrite:path': `/tenants/\${context.authorizer.claims.org_id}` })
    await refused({})
    assert.equal((await seen({ claims: { org_id: 'o1' } })).url, '/tenants/o1?own=1')
  })

  it('take a host only where it is one', async () => {
    await map({ 'overwrite:header.Host': '$request.header.x-host' })
    assert.equal((await seen({ headers: { 'x-host': 'a.test' } })).headers.host, 'a.test')
    assert.equal((await seen()).headers.host, new URL(bench.upstream.url).host)
    for (const host of ['a b', 'a/b', 'a@b', 'a,b', '']) await refused({ headers: { 'x-host': host } })
  })

  it('refuse what would not fit into a head any more', async () => {
    await map({ 'append:header.x-b': `\${request.header.x-a}\${request.header.x-a}\${request.header.x-a}` })
    await refused({ headers: { 'x-a': 'a'.repeat(4_000) } }, 431)
  })
})
