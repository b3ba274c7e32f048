/** Fixture: Amazon's client asks for any operation by its name, and what is offered of them. */
import assert from 'node:assert/strict'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { startIssuer, type TestIssuer } from '../test-issuer.ts'
import { type ControlPlane, startControlPlane } from './fixture.ts'

/** Every operation that is offered, under the test file in which it succeeds. */
export const OFFERED = {
  apis: ['CreateApi', 'GetApi', 'GetApis', 'UpdateApi', 'DeleteApi', 'DeleteCorsConfiguration', 'GetStages'],
  parts: [
    'CreateIntegration',
    'GetIntegration',
    'GetIntegrations',
    'UpdateIntegration',
    'DeleteIntegration',
    'CreateAuthorizer',
    'GetAuthorizer',
    'GetAuthorizers',
    'UpdateAuthorizer',
    'DeleteAuthorizer',
    'CreateRoute',
    'GetRoute',
    'GetRoutes',
    'UpdateRoute',
    'DeleteRoute',
  ],
  stages: [
    'CreateStage',
    'GetStage',
    'UpdateStage',
    'DeleteStage',
    'DeleteRouteSettings',
    'DeleteAccessLogSettings',
    'ResetAuthorizersCache',
    'CreateDeployment',
    'GetDeployment',
    'GetDeployments',
    'UpdateDeployment',
    'DeleteDeployment',
  ],
  domainNames: [
    'CreateDomainName',
    'GetDomainName',
    'GetDomainNames',
    'UpdateDomainName',
    'DeleteDomainName',
    'CreateApiMapping',
    'GetApiMapping',
    'GetApiMappings',
    'UpdateApiMapping',
    'DeleteApiMapping',
  ],
  tags: ['TagResource', 'UntagResource', 'GetTags'],
  documents: ['ImportApi', 'ReimportApi', 'ExportApi'],
} as const satisfies Record<string, readonly string[]>

export interface Operations {
  readonly plane: ControlPlane
  /** @returns the answer, which must have the status and the id that Amazon's has */
  // biome-ignore lint/suspicious/noExplicitAny: answers of any operation
  call(name: string, input?: object): Promise<any>
  refused(name: string, input: object, error: string, message: RegExp | string): Promise<void>
  /** @returns the id of an API that has nothing yet */
  newApi(name: string): Promise<string>
  /** Those that `call` has seen to succeed. */
  readonly succeeded: ReadonlySet<string>
}

export async function startOperations(settings?: Parameters<typeof startControlPlane>[0]): Promise<Operations> {
  const plane = await startControlPlane(settings)
  const succeeded = new Set<string>()

  const call: Operations['call'] = async (name, input = {}) => {
    // biome-ignore lint/performance/noDynamicNamespaceImportAccess: every operation of the client is called
    const Command = sdk[`${name}Command` as 'GetApisCommand'] as new (input: object) => sdk.GetApisCommand
    const { $metadata, ...answer } = await plane.client.send(new Command(input))
    const status = $metadata.httpStatusCode!
    const created = /^(Create|Import|Reimport|TagResource)/.test(name)
    const emptied = /^(Delete|Untag|Reset)/.test(name)
    assert.equal(status, created ? 201 : emptied ? 204 : 200, name)
    assert.match($metadata.requestId!, /^[0-9a-f-]{36}$/)
    succeeded.add(name)
    return answer
  }
  return {
    plane,
    succeeded,
    call,
    refused: async (name, input, error, message) => {
      await assert.rejects(
        call(name, input),
        (caught: Error) => {
          assert.equal(caught.name, error, `${name}: ${caught.message}`)
          if (typeof message === 'string') assert.equal(caught.message, message)
          else assert.match(caught.message, message)
          return true
        },
        name,
      )
    },
    newApi: async (name) => (await call('CreateApi', { Name: name, ProtocolType: 'HTTP' })).ApiId,
  }
}

export interface OperationsWithIssuer extends Operations {
  /** Whose tokens JWT authorizers may name. */
  readonly issuer: TestIssuer
  close(): Promise<void>
}

export async function startOperationsWithIssuer(): Promise<OperationsWithIssuer> {
  const issuer = await startIssuer(() => Date.now())
  try {
    const operations = await startOperations()
    const close = async () => {
      await Promise.all([operations.plane.close(), issuer.close()])
    }
    return { ...operations, issuer, close }
  } catch (error) {
    await issuer.close()
    throw error
  }
}

/** What the client is told of an integration that forwards to an address. */
export const http = (uri: string) => ({
  IntegrationType: 'HTTP_PROXY',
  IntegrationMethod: 'ANY',
  IntegrationUri: uri,
  PayloadFormatVersion: '1.0',
})

export const without = <T extends object>(object: T, ...names: string[]) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
