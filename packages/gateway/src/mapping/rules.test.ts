import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { standardDocument, startBench } from '../test-gateway.ts'
import { isMappableStatus, type Parameters, type Rules, readRequestRules, readResponseRules } from './rules.ts'

const messages = ({ faults }: Rules): string => faults.map(({ message }) => message).join()

describe('parameter mappings', () => {
  const fault = (key: string, value: string): string => messages(readRequestRules({ [key]: value }))

  it('are read in every form that definitions write', () => {
    const values = [
      ...[
        '$request.header.X-A',
        '$request.querystring.a',
        '$request.body',
        '$request.body.a.b[0]',
        "$request.body['a b']",
      ],
      ...[
        '$request.path',
        '$request.path.id',
        '$context.requestId',
        '$context.authorizer.claims.https://x/y',
        'text',
        "''",
      ],
      ...['$stageVariables.a', `\${request.path} \${context.stage}`, '/v2/$request.path.proxy', '$5 off', 'a$'],
    ]
    for (const value of values) assert.equal(fault('overwrite:header.x', value), '', value)
    const keys = ['append:header.x', 'remove:querystring.a.b', 'overwrite:path', 'overwrite:header.Host']
    for (const key of keys) assert.equal(fault(key, 'x'), '', key)
  })

  it('are refused when anything in them is not understood', () => {
    const values: Record<string, RegExp> = {
      '$request.method': /not a variable/,
      '$requset.header.x': /not a variable/,
      '$context.nothing': /not a variable of HTTP APIs/,
      '$response.header.x': /not known here/,
      '$request.body..id': /recursive descent/,
      '$request.body.a[?(@.b)]': /filters/,
      '$request.body.a[*]': /path of names/,
      '$request.header.Authorization': /reserved/,

      '': /empty value/,
    }
    for (const [value, expected] of Object.entries(values))
      assert.match(fault('overwrite:header.x', value), expected, value)
    const keys = [
      'overwrite:body',
      'header.x',
      'replace:header.x',
      'append:path',
      'remove:path',
      'overwrite:statuscode',
    ]
    for (const key of [...keys, 'append:header.host', 'overwrite:header.a b', 'overwrite:header.']) {
      assert.notEqual(fault(key, 'x'), '', key)
    }
    assert.match(messages(readResponseRules({ 'overwrite:path': 'x' })), /must be "overwrite:statuscode"/)
    assert.match(messages(readResponseRules({ 'append:header.x': '$request.header.a' })), /only the response/)
    assert.deepEqual(['200', '599', '199', '600', '20', 'default'].map(isMappableStatus), [
      true,
      true,
      ...Array(4).fill(false),
    ])
  })

  it('leave reserved headers alone, in every spelling, in requests and answers', () => {
    const reserved = [
      ...['Access-Control-Allow-Origin', 'apigw-requestid', 'Authorization', 'Connection', 'Content-Encoding'],
      ...['Content-Length', 'Content-Location', 'Forwarded', 'Keep-Alive', 'Origin', 'Proxy-Authenticate'],
      ...['Proxy-Authorization', 'TE', 'Trailers', 'Transfer-Encoding', 'Upgrade', 'x-amz-date', 'x-amzn-trace-id'],
      ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Via', 'x_forwarded_for', 'expect'],
    ]
    for (const name of reserved) {
      for (const action of ['append', 'overwrite', 'remove']) {
        assert.match(fault(`${action}:header.${name}`, 'x'), /reserved/, name)
        assert.match(messages(readResponseRules({ [`${action}:header.${name}`]: 'x' })), /reserved/, name)
      }
    }
  })

  it('name no two spellings of one name, and are warned of when a client’s value stays in front', () => {
    const twins = readRequestRules({ 'overwrite:header.x-org-id': 'a', 'append:header.X_Org_Id': 'b' })
    assert.match(messages(twins), /"x_org_id" and "x-org-id"/)
    assert.deepEqual(readRequestRules({ 'overwrite:header.x-a': 'a', 'append:header.X-A': 'b' }).faults, [])
    const { warnings } = readRequestRules({ 'append:header.x-user': '$context.authorizer.claims.sub' })
    assert.match(warnings[0]?.message ?? '', /"overwrite" would replace it/)
  })

  it('that cannot be executed keep an API from being served, and what was served stays', async () => {
    const bench = await startBench()
    const refusals: [requestParameters: Parameters, responseParameters: Record<string, Parameters>, RegExp][] = [
      [{ 'overwrite:header.x': '$request.nothing' }, {}, /"overwrite:header\.x".*not a variable/],
      [{ 'overwrite:path': '/a/../b' }, {}, /is no path/],
      [{ 'overwrite:path': '/a?b' }, {}, /is no path/],
      [{ 'overwrite:path': `/a//\${request.header.x}` }, {}, /is no path/],
      [{ 'overwrite:header.x': '$request.path.missing' }, {}, /\{missing\}/],
      [{}, { 199: { 'remove:header.x': "''" } }, /"199" is no status/],
      [{}, { 200: { 'remove:header.via': "''" } }, /reserved/],
    ]
    for (const [requestParameters, responseParameters, expected] of refusals) {
      await assert.rejects(bench.serve(standardDocument, { requestParameters, responseParameters }), expected)
    }
    assert.equal((await bench.send({ path: '/open/a' })).status, 200)
    await bench.close()
  })
})
