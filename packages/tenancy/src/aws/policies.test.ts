import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bucketFolder,
  dynamoTable,
  type PolicyDocument,
  policyOf,
  queueOfTenant,
  taggedRolePolicy,
} from './policies.ts'
import { type Asked, isAllowed } from './test-policy.ts'

const TABLE = 'arn:aws:dynamodb:eu-central-1:123456789012:table/items'
const QUEUES = 'arn:aws:sqs:eu-central-1:123456789012:jobs'
const templates = [
  dynamoTable({ tableArn: TABLE, indexes: true }),
  bucketFolder({ bucket: 'documents-of-all' }),
  queueOfTenant({ arn: QUEUES }),
]
/** Three ways to ask for the same: a session policy, and a role's policy with the session's tag. */
const ways: [string, (tenantId: string) => { policy: PolicyDocument; tags: Record<string, string> }][] = [
  ['a session policy', (tenantId) => ({ policy: policyOf(templates, tenantId), tags: {} })],
  ['a tagged session', (tenantId) => ({ policy: taggedRolePolicy(templates), tags: { tenant: tenantId } })],
]
const item = (action: string, key: string | undefined, resource = TABLE): Asked => ({
  action: `dynamodb:${action}`,
  resource,
  ...(key === undefined ? {} : { context: { 'dynamodb:LeadingKeys': [key] } }),
})
const object = (action: string, key: string, bucket = 'documents-of-all'): Asked => ({
  action: `s3:${action}`,
  resource: `arn:aws:s3:::${bucket}/${key}`,
})
const list = (prefix?: string): Asked => ({
  action: 's3:ListBucket',
  resource: 'arn:aws:s3:::documents-of-all',
  ...(prefix === undefined ? {} : { context: { 's3:prefix': prefix } }),
})
const queue = (action: string, name: string): Asked => ({
  action: `sqs:${action}`,
  resource: `arn:aws:sqs:eu-central-1:123456789012:${name}`,
})

for (const [way, sessionOf] of ways) {
  const asks = (tenantId: string, asked: Asked) => {
    const { policy, tags } = sessionOf(tenantId)
    return isAllowed(policy, { ...asked, tags })
  }

  test(`${way} lets a tenant work with its own items, objects and queue`, () => {
    for (const action of [
      'GetItem',
      'Query',
      'PutItem',
      'UpdateItem',
      'DeleteItem',
      'BatchGetItem',
      'BatchWriteItem',
    ]) {
      assert.ok(asks('t1-2', item(action, 't1-2')), action)
    }
    assert.ok(asks('t1-2', item('Query', 't1-2', `${TABLE}/index/by-date`)))
    for (const action of ['GetObject', 'PutObject', 'DeleteObject']) {
      assert.ok(asks('t1-2', object(action, 'tenants/t1-2/a/b.pdf')), action)
    }
    assert.ok(asks('t1-2', list('tenants/t1-2/a')))
    for (const action of ['SendMessage', 'ReceiveMessage', 'DeleteMessage']) {
      assert.ok(asks('t1-2', queue(action, 'jobs-t1-2')), action)
    }
  })

  test(`W8 N237 ${way}: of two look-alike ids neither reaches the other, on any resource by any verb`, () => {
    const pairs = [
      ['t1', 't1-2'],
      ['t1-2', 't1'],
      ['t1', 't12'],
      ['t12', 't1'],
      ['aaaa', 'aaab'],
      ['T1aa', 't1aa'],
    ] as const
    for (const [own, other] of pairs) {
      const foreign = [
        ...[
          'GetItem',
          'Query',
          'PutItem',
          'UpdateItem',
          'DeleteItem',
          'BatchGetItem',
          'BatchWriteItem',
          'ConditionCheckItem',
        ].flatMap((action) => [
          item(action, other),
          item(action, `${own}*`),
          item(action, other, `${TABLE}/index/by-date`),
        ]),
        ...['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload', 'ListMultipartUploadParts'].map(
          (action) => object(action, `tenants/${other}/a.pdf`),
        ),
        object('GetObject', `tenants/${own}`),
        object('GetObject', `tenants/${own}x/a`),
        list(`tenants/${other}/`),
        list(`tenants/${own}`),
        ...['SendMessage', 'ReceiveMessage', 'DeleteMessage', 'GetQueueUrl'].map((action) =>
          queue(action, `jobs-${other}`),
        ),
      ]
      for (const asked of foreign) assert.ok(!asks(own, asked), `${own}: ${JSON.stringify(asked)}`)
      // Mixed batches: one foreign key is enough to be refused.
      const mixed = { ...item('BatchGetItem', own), context: { 'dynamodb:LeadingKeys': [own, other] } }
      assert.ok(!asks(own, mixed))
    }
  })

  test(`W7 N237 ${way}: a request without the key is refused, although ForAllValues holds for it`, () => {
    assert.ok(!asks('t1-2', item('Query', undefined)))
    assert.ok(!asks('t1-2', item('BatchWriteItem', undefined)))
    assert.ok(!asks('t1-2', list()))
    assert.ok(!asks('t1-2', list('')))
    // The evaluator does know: without the guard the same request passes.
    const { policy, tags } = sessionOf('t1-2')
    const unguarded = policy.Statement.map(({ Condition, ...statement }) => {
      const { Null: _, ...others } = Condition ?? {}
      return { ...statement, Condition: others }
    })
    assert.ok(isAllowed({ ...policy, Statement: unguarded }, { ...item('Query', undefined), tags }))
  })

  test(`W6 N237 ${way}: nobody may scan, delete the table, list buckets or ask for another table`, () => {
    const partiQl = ['Select', 'Insert', 'Update', 'Delete'].map((verb) => `PartiQL${verb}`)
    for (const action of ['Scan', 'DeleteTable', ...partiQl, 'ExportTableToPointInTime', 'UpdateTable', '*']) {
      assert.ok(!asks('t1-2', item(action, 't1-2')), action)
      assert.ok(!asks('t1-2', item(action, 't1-2', `${TABLE}/index/by-date`)), action)
    }
    assert.ok(!asks('t1-2', item('GetItem', 't1-2', `${TABLE}-of-others`)))
    assert.ok(!asks('t1-2', object('GetObject', 'tenants/t1-2/a', 'other-bucket')))
    assert.ok(!asks('t1-2', object('PutBucketPolicy', 'tenants/t1-2/a')))
    assert.ok(!asks('t1-2', { action: 's3:ListAllMyBuckets', resource: 'arn:aws:s3:::*' }))
    assert.ok(!asks('t1-2', queue('PurgeQueue', 'jobs-t1-2')))
  })
}

test('W13 a session without the tag, or with an empty one, may do nothing', () => {
  const policy = taggedRolePolicy(templates)
  for (const tags of [{}, { other: 't1-2' }] as Record<string, string>[]) {
    for (const asked of [
      item('GetItem', 't1-2'),
      item('GetItem', ''),
      object('GetObject', 'tenants//a'),
      queue('SendMessage', 'jobs-'),
    ]) {
      assert.ok(!isAllowed(policy, { ...asked, tags }))
    }
  }
  // A tag's value is no pattern.
  assert.ok(!isAllowed(policy, { ...object('GetObject', 'tenants/t1-2/a'), tags: { tenant: '*' } }))
})

test('partition keys that begin with the tenant are bounded behind a letter that no id has', () => {
  const policy = policyOf([dynamoTable({ tableArn: TABLE, separator: '#' })], 't1')
  assert.ok(isAllowed(policy, item('GetItem', 't1#order-7')))
  for (const key of ['t1', 't12#order-7', 't1-2#order-7', 'x#t1#'])
    assert.ok(!isAllowed(policy, item('GetItem', key)), key)
})

test('a template that could not bound anything is not made', () => {
  assert.throws(() => dynamoTable({ tableArn: TABLE, actions: ['Scan'] }), /cannot be bounded/)
  assert.throws(() => dynamoTable({ tableArn: `${TABLE}*` }), /not the ARN of one thing/)
  assert.throws(() => dynamoTable({ tableArn: TABLE, separator: '-' as never }), /may be part of one/)
  assert.throws(() => bucketFolder({ bucket: '*' }), /not the name/)
  assert.throws(() => bucketFolder({ bucket: 'documents', prefix: 'tenants' }), /end with a slash/)
  assert.throws(() => bucketFolder({ bucket: 'documents', actions: ['*'] }), /not an action/)
  assert.throws(() => queueOfTenant({ arn: `${QUEUES}-\${aws:username}` }), /not the ARN/)
})
