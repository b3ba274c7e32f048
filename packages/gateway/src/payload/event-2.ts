import { clientCertificate, commonLogTime, contextPath, domainName, sourceIp, userAgent } from '../context.ts'
import type { Call } from '../exchange.ts'
import { jwtNode } from './jwt-node.ts'
import { eventBody } from './request-body.ts'
import { cookiesOf, headersOf, pathParametersOf, queryOf, record, type Values } from './request-parts.ts'

/** Format 2.0. What a request does not have is absent, never null: validators of events tell the two apart. */
export function event2(call: Call, bytes: Buffer | null, traceId: string): Record<string, unknown> {
  const { text, isBase64Encoded } = eventBody(bytes, call.head.fields)
  return {
    version: '2.0',
    ...describeRequest(call, headersOf(call, bytes?.length ?? 0, traceId)),
    ...(text === null ? {} : { body: text }),
    isBase64Encoded,
  }
}

/** What format 2.0 says of a request to every function, whether it decides or answers. */
export function describeRequest(call: Call, headers: Values): Record<string, unknown> {
  const { deployment, path, route } = call
  const { variables } = deployment.api.stage
  const cookies = cookiesOf(headers)
  const query = queryOf(path.query)
  const parameters = pathParametersOf(call)
  return {
    routeKey: route.key,
    rawPath: contextPath(call),
    rawQueryString: path.query,
    ...(cookies.length === 0 ? {} : { cookies }),
    headers: joined(new Map([...headers].filter(([name]) => name !== 'cookie'))),
    ...(query.size === 0 ? {} : { queryStringParameters: joined(query) }),
    requestContext: requestContext(call),
    ...(parameters.size === 0 ? {} : { pathParameters: joined(parameters) }),
    ...(Object.keys(variables).length === 0 ? {} : { stageVariables: variables }),
  }
}

function requestContext(call: Call): Record<string, unknown> {
  const { deployment, id, receivedAt, request, route } = call
  const { accountId, id: apiId, stage } = deployment.api
  const host = domainName(call)
  const clientCert = clientCertificate(call)
  const authorizer = authorizerNode(call)
  return {
    accountId,
    apiId,
    ...(clientCert === null ? {} : { authentication: { clientCert } }),
    ...(authorizer === null ? {} : { authorizer }),
    domainName: host,
    domainPrefix: host.split('.')[0],
    http: {
      method: request.method,
      path: contextPath(call),
      protocol: 'HTTP/1.1',
      sourceIp: sourceIp(call),
      userAgent: userAgent(call),
    },
    requestId: id,
    routeKey: route.key,
    stage: stage.name,
    time: commonLogTime(receivedAt),
    timeEpoch: receivedAt,
  }
}

// A Lambda authorizer's context keeps its JSON types; a token's claims do not.
function authorizerNode(call: Call): Record<string, unknown> | null {
  if (call.caller.type === 'CUSTOM') return { lambda: call.caller.context }
  const jwt = jwtNode(call)
  return jwt === null ? null : { jwt }
}

const joined = (values: Values): Record<string, string> => record(values, (all) => all.join(','))
