/** Operations of Amazon’s that are not offered here. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { OFFERED, type Operations, startOperations } from './test-operations.ts'

let operations: Operations
before(async () => {
  operations = await startOperations()
})
after(() => operations?.plane.close())

test('what is not offered is refused by name, and is all that did not succeed', async () => {
  const { call } = operations
  const offered = new Set<string>(Object.values(OFFERED).flat())
  const refusals = new Map<string, string>()
  const input = {
    ...{ ApiId: 'a', RouteId: 'a', IntegrationId: 'a', ModelId: 'a', IntegrationResponseId: 'a', RouteResponseId: 'a' },
    ...{ VpcLinkId: 'a', DomainName: 'a.test', RoutingRuleId: 'a', PortalId: 'a', PortalProductId: 'a' },
    ...{ ProductPageId: 'a', ProductRestEndpointPageId: 'a', RequestParameterKey: 'a', Name: 'a', Schema: '{}' },
  }
  const names = Object.keys(sdk)
    .filter((name) => /^[A-Z].*Command$/.test(name) && name !== '$Command')
    .map((name) => name.slice(0, -'Command'.length))
  assert.ok(names.length > 100, `${names.length} operations`)
  for (const name of names.filter((each) => !offered.has(each))) {
    await call(name, input).catch((error: Error) => refusals.set(name, `${error.name} ${error.message}`))
    const refusal = refusals.get(name) ?? 'not refused'
    const expected = /Model|Response|RequestParameter/.test(name)
      ? `BadRequestException ${name} is not supported for HTTP APIs`
      : /VpcLink/.test(name)
        ? `NotImplementedException VPC links are not offered here: ${name} does nothing`
        : /RoutingRule/.test(name)
          ? `NotImplementedException Routing rules are not offered here: ${name} does nothing`
          : `NotImplementedException Developer portals are not offered here: ${name} does nothing`
    assert.equal(refusal, expected)
  }
  assert.equal(offered.size, 50)
})
