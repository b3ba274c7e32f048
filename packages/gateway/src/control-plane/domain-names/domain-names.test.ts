/** Custom domains, and the mappings that lead from them to stages. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { OFFERED, type Operations, startOperations } from '../test-operations.ts'

let operations: Operations
before(async () => {
  operations = await startOperations()
})
after(() => operations?.plane.close())

test('domains belong to one environment, and their mappings lead to stages', async () => {
  const { call, newApi, plane, refused } = operations
  const ApiId = await newApi('mapped')
  await call('CreateStage', { ApiId, StageName: 'live' })
  const DomainName = `${ApiId}.example.test`
  const domain = await call('CreateDomainName', {
    DomainName,
    DomainNameConfigurations: [{ CertificateName: 'mine', EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' }],
    Tags: { a: 'b' },
  })
  assert.deepEqual(domain, {
    ApiMappingSelectionExpression: '$request.basepath',
    DomainName,
    DomainNameArn: `arn:aws:apigateway:local::/domainnames/${DomainName}`,
    DomainNameConfigurations: [
      {
        ApiGatewayDomainName: 'execute-api.test',
        CertificateName: 'mine',
        DomainNameStatus: 'AVAILABLE',
        EndpointType: 'REGIONAL',
        IpAddressType: 'ipv4',
        SecurityPolicy: 'TLS_1_2',
      },
    ],
    RoutingMode: 'API_MAPPING_ONLY',
    Tags: { a: 'b' },
  })
  assert.deepEqual(await call('GetDomainName', { DomainName }), domain)
  assert.deepEqual((await call('GetDomainNames')).Items, [domain])
  const updated = await call('UpdateDomainName', {
    DomainName,
    DomainNameConfigurations: domain.DomainNameConfigurations,
  })
  assert.deepEqual(updated, domain)
  const other = plane.clientOf(await plane.otherKey())
  await assert.rejects(other.send(new sdk.CreateDomainNameCommand({ DomainName })), {
    name: 'ConflictException',
    message: 'The domain name you provided already exists.',
  })
  await assert.rejects(other.send(new sdk.GetDomainNameCommand({ DomainName })), { name: 'NotFoundException' })
  other.destroy()
  for (const name of [
    'Upper.test',
    'a_b.test',
    'localhost',
    '127.0.0.1',
    `${ApiId}.execute-api.test`,
    '*.execute-api.test',
  ]) {
    await refused('CreateDomainName', { DomainName: name }, 'BadRequestException', /./)
  }

  const mapping = await call('CreateApiMapping', { DomainName, ApiId, Stage: 'live', ApiMappingKey: 'orders/v1' })
  const { ApiMappingId } = mapping
  assert.deepEqual(mapping, { ApiId, ApiMappingId, ApiMappingKey: 'orders/v1', Stage: 'live' })
  const again = { DomainName, ApiId, Stage: 'live', ApiMappingKey: 'orders/v1' }
  await refused('CreateApiMapping', again, 'ConflictException', 'ApiMapping key already exists for this domain name')
  await refused('CreateApiMapping', { ...again, ApiMappingKey: 'a//b' }, 'BadRequestException', /^ApiMapping key/)
  await refused('CreateApiMapping', { ...again, ApiMappingKey: 'b', Stage: 'none' }, 'BadRequestException', /stage/)
  const moved = await call('UpdateApiMapping', { DomainName, ApiMappingId, ApiId, ApiMappingKey: '' })
  assert.deepEqual(moved, { ...mapping, ApiMappingKey: '' })
  assert.deepEqual(await call('GetApiMapping', { DomainName, ApiMappingId }), moved)
  assert.deepEqual((await call('GetApiMappings', { DomainName })).Items, [moved])
  await refused('DeleteStage', { ApiId, StageName: 'live' }, 'ConflictException', /mapping/)
  await refused('DeleteApi', { ApiId }, 'ConflictException', /mapping/)
  await refused('DeleteDomainName', { DomainName }, 'ConflictException', /mappings/)
  await call('DeleteApiMapping', { DomainName, ApiMappingId })
  await call('DeleteDomainName', { DomainName })
  await refused('GetDomainName', { DomainName }, 'NotFoundException', 'Invalid domain name identifier specified')
})

test('every operation on domains and mappings has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.domainNames.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
