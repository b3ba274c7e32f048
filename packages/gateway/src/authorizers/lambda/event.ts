/**
 * What an authorizer's function is asked, in both payload formats. Members that have no value are left out in 2.0 and
 * empty in 1.0. There is never a body: it has not been read.
 */
import { clientCertificate, sourceIp } from '../../context.ts'
import type { Call } from '../../exchange.ts'
import { singleField } from '../../head.ts'
import { describeRequest } from '../../payload/event-2.ts'
import { headersOf, pathParametersOf, queryOf, record, type Values } from '../../payload/request-parts.ts'
import { routeArn } from './policy.ts'

/**
 * @param sources values of the identity sources, in the configured order
 * @param traceId value of `x-amzn-trace-id`
 */
export type DescribeCall = (call: Call, sources: readonly string[], traceId: string) => string

export const describeCall: Readonly<Record<'1.0' | '2.0', DescribeCall>> = {
  '1.0': (call, sources, traceId) => JSON.stringify(eventOne(call, sources, traceId)),
  '2.0': (call, sources, traceId) => JSON.stringify(eventTwo(call, sources, traceId)),
}

type TextMap = Readonly<Record<string, string>>

// Nobody is known to call yet, so its context says nothing of an authorizer.
const eventTwo = (call: Call, sources: readonly string[], traceId: string): object => ({
  version: '2.0',
  type: 'REQUEST',
  routeArn: routeArn(call),
  identitySource: sources,
  ...describeRequest(call, headersSeen(call, traceId)),
})

function eventOne(call: Call, sources: readonly string[], traceId: string): object {
  const { basePath, deployment, head, id, request, route } = call
  const { accountId, id: apiId, stage } = deployment.api
  const resource = route.method === null ? route.key : route.key.slice(route.key.indexOf(' ') + 1)
  // Unlike format 2.0 it names the key of a custom domain's mapping too.
  const path = basePath === '' ? call.path.path : `/${basePath}${call.path.path}`
  return {
    version: '1.0',
    type: 'REQUEST',
    methodArn: routeArn(call),
    identitySource: sources.join(','),
    authorizationToken: sources.join(','),
    resource,
    path,
    httpMethod: request.method,
    headers: asSpelled(joined(headersSeen(call, traceId)), request.rawHeaders),
    queryStringParameters: joined(queryOf(call.path.query)),
    pathParameters: joined(pathParametersOf(call)),
    stageVariables: stage.variables,
    requestContext: {
      path,
      accountId,
      resourceId: null,
      stage: stage.name,
      requestId: id,
      identity: {
        apiKey: singleField(head.fields, 'x-api-key') ?? null,
        sourceIp: sourceIp(call),
        clientCert: clientCertificate(call),
      },
      resourcePath: resource,
      httpMethod: request.method,
      apiId,
    },
  }
}

const headersSeen = (call: Call, traceId: string): Values => headersOf(call, call.head.contentLength, traceId)

// A value that is left out would be one that the function does not see and an upstream does.
const joined = (values: Values): TextMap => record(values, (all) => all.join(','))

/** Header names as the client wrote them, which is what format 1.0 shows. */
function asSpelled(headers: TextMap, raw: readonly string[]): TextMap {
  const spelling = new Map<string, string>()
  for (let i = 0; i < raw.length; i += 2) spelling.set(raw[i]!.toLowerCase(), raw[i]!)
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [spelling.get(name) ?? name, value]))
}
