/** An event of Amazon API Gateway (HTTP APIs, format 2.0) as a request to a service, and its answer back. */
import type { FastifyInstance } from 'fastify'

export interface HttpApiEvent {
  rawPath: string
  rawQueryString: string
  headers: Record<string, string | undefined>
  cookies?: string[]
  body?: string
  isBase64Encoded: boolean
  requestContext: { http: { method: string; sourceIp: string } }
}

export interface HttpApiAnswer {
  statusCode: number
  headers: Record<string, string>
  cookies?: string[]
  body: string
  isBase64Encoded: boolean
}

const bodyOf = (payload: Buffer, type: string) =>
  /^(text\/|application\/json)/.test(type) || payload.length === 0
    ? { body: payload.toString('utf8'), isBase64Encoded: false }
    : { body: payload.toString('base64'), isBase64Encoded: true }

/** The service itself answers, without a port: the same routes, hooks and refusals as anywhere else. */
export async function answerEvent(service: FastifyInstance, event: HttpApiEvent): Promise<HttpApiAnswer> {
  const { rawPath, rawQueryString, headers, cookies, body, isBase64Encoded, requestContext } = event
  const { method, sourceIp } = requestContext.http
  const answer = await service.inject({
    method: method as 'GET',
    url: rawQueryString ? `${rawPath}?${rawQueryString}` : rawPath,
    headers: {
      ...headers,
      ...(cookies ? { cookie: cookies.join('; ') } : {}),
      // Whoever calls through API Gateway cannot choose this address; what they claim about it is left out.
      'x-forwarded-for': sourceIp,
    },
    remoteAddress: '127.0.0.1',
    ...(body === undefined ? {} : { payload: isBase64Encoded ? Buffer.from(body, 'base64') : body }),
  })
  const { 'set-cookie': setCookies, ...others } = answer.headers
  return {
    statusCode: answer.statusCode,
    headers: Object.fromEntries(Object.entries(others).map(([name, value]) => [name, String(value)])),
    ...(setCookies ? { cookies: [setCookies].flat().map(String) } : {}),
    ...bodyOf(answer.rawPayload, String(others['content-type'])),
  }
}
