/** Answers that are IAM policies. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { allow, arnPrefix, deny, type LambdaBench, policyOf, requests, startLambdaBench } from './fixture.ts'

describe('a Lambda authorizer', () => {
  let bench: LambdaBench
  before(async () => {
    bench = await startLambdaBench()
  })
  after(() => bench.close())

  const { get, asked, assertAnswer } = requests(() => bench)

  it('answers with IAM policies, which are read as IAM reads them', async () => {
    const { id, all } = { id: `${arnPrefix}/GET/invoices`, all: 'arn:aws:execute-api:*:*:*' }
    const rows: [string, object[], number][] = [
      ['the exact ARN', [allow(id)], 200],
      ['another method', [allow(`${arnPrefix}/POST/invoices`)], 403],
      ['another path', [allow(`${arnPrefix}/GET/invoice`)], 403],
      ['another case of the path', [allow(`${arnPrefix}/GET/Invoices`)], 403],
      ['another stage', [allow(id.replace('/live/', '/test/'))], 403],
      ['another API', [allow(id.replace('tnapi00001', 'tnapi00002'))], 403],
      ['another account', [allow(id.replace('000000000001', '000000000002'))], 403],
      ['another region', [allow(id.replace('eu-', 'us-'))], 403],
      ['one star', [allow('*')], 200],
      ['a short ARN', [allow('arn:aws:execute-api:*')], 200],
      ['stars in every part', [allow(all)], 200],
      ['a star over slashes', [allow('arn:aws:execute-api:*:*:tnapi00001/*/invoices')], 200],
      ['a star in the middle', [allow(`${arnPrefix}/*/inv*s`)], 200],
      ['a star for nothing', [allow(`${id}*`)], 200],
      ['question marks', [allow(`${arnPrefix}/G?T/invoice?`)], 200],
      ['a question mark for nothing', [allow(`${id}?`)], 403],
      ['a list of resources', [allow(['arn:aws:s3:::x', id])], 200],
      ['a list of actions', [allow(id, ['s3:GetObject', 'execute-api:Invoke'])], 200],
      ['an action in other case', [allow(id, 'EXECUTE-API:invoke')], 200],
      ['an action with a star', [allow(id, 'execute-api:*')], 200],
      ['any action', [allow(id, '*')], 200],
      ['a foreign action', [allow(id, 'execute-api:ManageConnections')], 403],
      ['Deny before Allow', [deny(id), allow('*')], 403],
      ['Deny after Allow', [allow('*'), deny(`${arnPrefix}/GET/*`)], 403],
      ['Deny of something else', [allow('*'), deny(`${arnPrefix}/POST/*`)], 200],
      ['Deny alone', [deny(`${arnPrefix}/POST/*`)], 403],
      ['several Allows', [allow(`${arnPrefix}/POST/*`), { Sid: 'x', ...allow(id) }], 200],
      ['no statement', [], 403],
    ]
    for (const [name, statements, status] of rows) {
      for (const payloadFormatVersion of ['1.0', '2.0'] as const) {
        bench.decide({ payloadFormatVersion, enableSimpleResponses: false }, () => policyOf(...statements))
        assert.equal((await get()).status, status, `${name}, format ${payloadFormatVersion}`)
      }
    }
    bench.decide({ enableSimpleResponses: false }, () => ({
      principalId: 'x',
      policyDocument: { Version: '2012-10-17', Statement: allow(id) },
    }))
    assert.equal((await get()).status, 200, 'one statement without a list')
  })

  it('N219 gives a star or colons in the path of a request no power over a policy', async () => {
    // A function that answers with what it was asked about, as most examples do.
    bench.decide({ enableSimpleResponses: false, resultTtlSeconds: 60 }, ({ routeArn }) => policyOf(allow(routeArn)))
    assert.equal((await get('/live/files/*')).status, 200)
    bench.upstream.seen.length = 0
    assertAnswer(await get('/live/files/secret'), 403, 'Forbidden')
    assert.equal(asked(), 1)
    const other = 'arn:aws:execute-api:*:*:tnapi00009/*/GET/invoices'
    bench.decide({ enableSimpleResponses: false }, () => policyOf(allow(other)))
    assertAnswer(await get('/live/files/:tnapi00009/live/GET/invoices'), 403, 'Forbidden')
  })
})
