/** Tags, by the ARN of what bears them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OFFERED, type Operations, startOperations } from '../test-operations.ts'

let operations: Operations
before(async () => {
  operations = await startOperations()
})
after(() => operations?.plane.close())

test('tags are read, added and removed by the ARN of an API, a stage or a domain', async () => {
  const { call, newApi, refused } = operations
  const ApiId = await newApi('tagged')
  await call('CreateStage', { ApiId, StageName: '$default', Tags: { a: '1' } })
  const arn = `arn:aws:apigateway:local::/apis/${ApiId}`
  await call('TagResource', { ResourceArn: arn, Tags: { a: '1', b: '2', c: '3' } })
  await call('UntagResource', { ResourceArn: arn, TagKeys: ['a', 'b'] })
  assert.deepEqual((await call('GetTags', { ResourceArn: arn })).Tags, { c: '3' })
  await call('UntagResource', { ResourceArn: `${arn}/stages/$default`, TagKeys: ['a'] })
  assert.deepEqual((await call('GetStage', { ApiId, StageName: '$default' })).Tags, {})
  await refused('GetTags', { ResourceArn: 'arn:aws:apigateway:eu-west-1::/apis/x' }, 'NotFoundException', /resource/)
})

test('every operation on tags has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.tags.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
