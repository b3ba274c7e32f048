/** Fixture: an API whose routes ask a Lambda authorizer, behind a real gateway and in front of a real upstream. */
import assert from 'node:assert/strict'
import { type Api, defaultStage, type RequestAuthorizer, type Route } from '../../api.ts'
import { createTestFunctions, type Handler, type TestFunctions } from '../../test-functions.ts'
import { type Bench, type Received, replaceOrThrow, startBench } from '../../test-gateway.ts'

export const functionArn = 'arn:aws:lambda:eu-central-1:000000000001:function:decide'
export const arnPrefix = 'arn:aws:execute-api:eu-central-1:000000000001:tnapi00001/live'

export interface LambdaBench extends Bench {
  readonly functions: TestFunctions
  /** Serves the API with this authorizer and handler, and forgets what was invoked and forwarded before. */
  decide(authorizer: Partial<RequestAuthorizer>, handler: Handler, change?: (api: Api) => Api): void
}

const routeKeys = [
  'GET /invoices',
  'POST /invoices',
  'GET /tenants/{tenant}/invoices',
  'ANY /files/{rest+}',
  '$default',
]

export async function startLambdaBench(): Promise<LambdaBench> {
  const functions = createTestFunctions()
  const bench = await startBench(undefined, { functions, tokenCacheBytes: 16 * 1024 * 1024 })
  return {
    ...bench,
    functions,
    decide: (authorizer, handler, change = (api) => api) => {
      functions.handlers.set(functionArn, handler)
      functions.invocations.length = 0
      bench.upstream.seen.length = 0
      bench.logLines.length = 0
      // Another id each time would change ARNs, so what earlier cases left behind is forgotten instead.
      replaceOrThrow(bench.gateway, [change(lambdaApi(bench.upstream.url, authorizer))])
      bench.gateway.resetAuthorizers('tnapi00001', 'live')
    },
  }
}

/** What a client with the key asks of a bench that has started by then, and what becomes of it. */
export function requests(bench: () => LambdaBench) {
  return {
    get: (path = '/live/invoices', headers: Record<string, string> = {}): Promise<Received> =>
      bench().send({ path, headers: { authorization: 'key-77', ...headers } }),
    /** How often the function was asked. */
    asked: (): number => bench().functions.invocations.length,
    /** Asserts the gateway's own answer: nothing was forwarded. */
    assertAnswer: ({ status, body, headers }: Received, expected: number, message: string): void => {
      assert.equal(status, expected)
      assert.equal(body, `{"message":"${message}"}`)
      assert.equal(headers['content-type'], 'application/json')
      assert.equal(headers['www-authenticate'], undefined)
      assert.match(headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
      assert.equal(bench().upstream.seen.length, 0)
    },
    lastError: (): unknown => bench().logLines.findLast(({ msg }) => msg === 'access')?.auth,
  }
}

export const requestAuthorizer: RequestAuthorizer = {
  type: 'REQUEST',
  functionArn,
  payloadFormatVersion: '2.0',
  enableSimpleResponses: true,
  identitySource: ['$request.header.authorization'],
  resultTtlSeconds: 0,
  credentialsArn: null,
}

export function lambdaApi(upstream: string, authorizer: Partial<RequestAuthorizer>): Api {
  const routes = routeKeys.map(
    (key): Route => ({ key, integration: 'all', authorization: { type: 'CUSTOM', authorizer: 'decider' } }),
  )
  return {
    id: 'tnapi00001',
    name: 'billing',
    accountId: '000000000001',
    region: 'eu-central-1',
    description: null,
    version: null,
    tags: {},
    disableExecuteApiEndpoint: false,
    endpoints: [{ host: null, basePath: 'live', kind: 'stage' }],
    stage: { ...defaultStage({ backend: 'blue' }), name: 'live' },
    routes,
    authorizers: { decider: { ...requestAuthorizer, ...authorizer } },
    integrations: {
      all: {
        type: 'HTTP_PROXY',
        method: 'ANY',
        uri: upstream,
        timeoutMs: 5_000,
        requestParameters: {},
        responseParameters: {},
      },
    },
    cors: null,
  }
}

/** A policy with these statements, for whoever asks. */
export const policyOf = (...statements: object[]): object => ({
  principalId: 'device-7',
  policyDocument: { Version: '2012-10-17', Statement: statements },
})

export const allow = (resource: string | string[], action: string | string[] = 'execute-api:Invoke'): object => ({
  Effect: 'Allow',
  Action: action,
  Resource: resource,
})

export const deny = (resource: string | string[]): object => ({
  Effect: 'Deny',
  Action: 'execute-api:Invoke',
  Resource: resource,
})
