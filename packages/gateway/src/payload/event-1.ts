import { clientCertificate, commonLogTime, domainName, sourceIp, userAgent } from '../context.ts'
import type { Call } from '../exchange.ts'
import { jwtNode } from './jwt-node.ts'
import { eventBody } from './request-body.ts'
import { headersOf, pathParametersOf, queryOf, record, type Values } from './request-parts.ts'

/** Format 1.0, as REST APIs have it: the last value and all values of each name, and null for what is not there. */
export function event1(call: Call, bytes: Buffer | null, traceId: string): Record<string, unknown> {
  const { deployment, head, path, request } = call
  const { variables } = deployment.api.stage
  const headers = headersOf(call, bytes?.length ?? 0, traceId)
  const query = queryOf(path.query)
  const parameters = pathParametersOf(call)
  const { text, isBase64Encoded } = eventBody(bytes, head.fields)
  return {
    version: '1.0',
    resource: resourceOf(call),
    path: fullPath(call),
    httpMethod: request.method,
    headers: last(headers),
    multiValueHeaders: record(headers, (all) => all),
    queryStringParameters: query.size === 0 ? null : last(query),
    multiValueQueryStringParameters: query.size === 0 ? null : record(query, (all) => all),
    requestContext: requestContext(call),
    pathParameters: parameters.size === 0 ? null : last(parameters),
    stageVariables: Object.keys(variables).length === 0 ? null : variables,
    body: text,
    isBase64Encoded,
  }
}

function requestContext(call: Call): Record<string, unknown> {
  const { deployment, id, receivedAt, request } = call
  const { accountId, id: apiId, stage } = deployment.api
  const host = domainName(call)
  return {
    accountId,
    apiId,
    authorizer: authorizerNode(call),
    domainName: host,
    domainPrefix: host.split('.')[0],
    extendedRequestId: id,
    httpMethod: request.method,
    identity: {
      // Of requests signed with AWS credentials and of Cognito identities, which this gateway does not verify.
      accessKey: null,
      accountId: null,
      caller: null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      principalOrgId: null,
      sourceIp: sourceIp(call),
      user: null,
      userAgent: userAgent(call) || null,
      userArn: null,
      clientCert: clientCertificate(call),
    },
    path: fullPath(call),
    protocol: 'HTTP/1.1',
    requestId: id,
    requestTime: commonLogTime(receivedAt),
    requestTimeEpoch: receivedAt,
    resourceId: null,
    resourcePath: resourceOf(call),
    stage: stage.name,
  }
}

// The context of a Lambda authorizer as REST APIs hand it on; what HTTP APIs do in this format is not documented.
function authorizerNode(call: Call): Readonly<Record<string, unknown>> {
  const { caller } = call
  if (caller.type !== 'CUSTOM') return jwtNode(call) ?? { claims: null, scopes: null }
  return caller.principalId === null ? caller.context : { ...caller.context, principalId: caller.principalId }
}

/** Other than in format 2.0 the key of a custom domain's mapping is part of the path. */
const fullPath = ({ basePath, path }: Call): string => (basePath === '' ? path.path : `/${basePath}${path.path}`)

const resourceOf = ({ route }: Call): string => route.key.slice(route.key.indexOf(' ') + 1)

const last = (values: Values): Record<string, string> => record(values, (all) => all.at(-1)!)
