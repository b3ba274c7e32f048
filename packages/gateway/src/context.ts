/**
 * `$context` variables: what access logs, parameter mappings, identity sources and events say of a request. One table,
 * so that each name means the same everywhere. A name is compiled once; reading it costs no parsing.
 */
import { type Answer, answers } from './answers.ts'
import { connectionOf } from './connection.ts'
import type { Caller, Exchange } from './exchange.ts'
import { firstField } from './head.ts'
import type { ClientCertificate } from './tls/admission.ts'
import { hostName } from './tls/domain.ts'

/** The text of one variable; `undefined`: it has no value for this request. */
export type ReadContext = (exchange: Exchange) => string | undefined

/**
 * @param name without `$context.`
 * @returns `null` for a name that AWS does not know
 */
export function compileContext(name: string): ReadContext | null {
  if (Object.hasOwn(table, name)) return table[name]!
  const claim = /^authorizer\.claims\.(.+)$/.exec(name)?.[1]
  if (claim !== undefined) return ({ caller }) => (caller.type === 'JWT' ? renderClaim(caller, claim) : undefined)
  const key = /^authorizer\.([^.]+)$/.exec(name)?.[1]
  if (key !== undefined)
    return ({ caller }) => (caller.type === 'CUSTOM' ? contextText(caller.context, key) : undefined)
  return null
}

const text = (value: string): string | undefined => (value === '' ? undefined : value)
const number = (value: number): string | undefined => (value <= 0 ? undefined : String(value))

/** The name in `Host`, without the port. */
export const domainName = ({ head }: Exchange): string => hostName(head?.host ?? '')

export const sourceIp = ({ request: { socket } }: Exchange): string => {
  const address = socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** The path as integrations see it: with a stage's name, without a mapping's key. */
export const contextPath = ({ path, basePath, isMapped }: Exchange): string =>
  isMapped || basePath === '' ? (path?.path ?? '') : `/${basePath}${path?.path ?? ''}`

export const userAgent = ({ head }: Exchange): string => (head === null ? '' : firstField(head.fields, 'user-agent'))

/** The client's certificate as events show it; `null` unless mutual TLS has verified one. */
export const clientCertificate = ({ request }: Exchange): ClientCertificate | null =>
  connectionOf(request.socket).handshake?.client ?? null

const nothing: ReadContext = () => undefined

const integrationLatency: ReadContext = ({ integration }) =>
  integration.latency < 0 ? undefined : String(integration.latency)

const messageOf = ({ body }: Answer): string => (JSON.parse(body) as { message: string }).message

// What a REST API calls its own answers; which of these names an HTTP API writes is unconfirmed.
function responseType(refusal: Answer): string {
  if (refusal === answers.integrationTooSlow) return 'INTEGRATION_TIMEOUT'
  if (refusal === answers.integrationUnreachable) return 'INTEGRATION_FAILURE'
  return responseTypes[refusal.status] ?? (refusal.status < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX')
}
const responseTypes: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'ACCESS_DENIED',
  404: 'RESOURCE_NOT_FOUND',
  413: 'REQUEST_TOO_LARGE',
  429: 'THROTTLED',
}

// Made by the gateway from digits, hyphens and letters: nothing in them can be structure of a line.
const gateways: ReadonlySet<string> = new Set([
  ...['accountId', 'dataProcessed', 'error.responseType', 'extendedRequestId', 'integration.integrationStatus'],
  ...['integration.latency', 'integration.status', 'integrationLatency', 'integrationStatus', 'protocol', 'requestId'],
  ...['requestTime', 'requestTimeEpoch', 'responseLatency', 'responseLength', 'status'],
])

/** Whether a variable's value is always the gateway's own, so that writing it into a log needs no escaping. */
export const isGateways = (name: string): boolean => gateways.has(name)

const table: Readonly<Record<string, ReadContext>> = {
  accountId: ({ deployment }) => deployment?.api.accountId,
  apiId: ({ deployment }) => deployment?.api.id,
  'authorizer.claims': () => undefined,
  'authorizer.error': ({ authorizerError }) => text(authorizerError),
  'authorizer.principalId': ({ caller }) => (caller.type === 'CUSTOM' ? (caller.principalId ?? undefined) : undefined),
  awsEndpointRequestId: ({ integration }) => text(integration.requestId),
  awsEndpointRequestId2: ({ integration }) => text(integration.requestId2),
  'customDomain.basePathMatched': ({ isMapped, basePath }) => (isMapped ? text(basePath) : undefined),
  dataProcessed: ({ receivedBytes, bytes }) => String(receivedBytes + bytes),
  domainName,
  domainPrefix: (exchange) => text(domainName(exchange).split('.')[0]!),
  'error.message': ({ refusal }) => (refusal === null ? undefined : messageOf(refusal)),
  'error.messageString': ({ refusal }) => (refusal === null ? undefined : JSON.stringify(messageOf(refusal))),
  'error.responseType': ({ refusal }) => (refusal === null ? undefined : responseType(refusal)),
  extendedRequestId: ({ id }) => id,
  httpMethod: ({ request }) => request.method,
  // Who signed a request: no route asks for signatures.
  'identity.accountId': nothing,
  'identity.caller': nothing,
  'identity.cognitoAuthenticationProvider': nothing,
  'identity.cognitoAuthenticationType': nothing,
  'identity.cognitoIdentityId': nothing,
  'identity.cognitoIdentityPoolId': nothing,
  'identity.clientCert.clientCertPem': (exchange) => clientCertificate(exchange)?.clientCertPem,
  'identity.clientCert.issuerDN': (exchange) => clientCertificate(exchange)?.issuerDN,
  'identity.clientCert.serialNumber': (exchange) => clientCertificate(exchange)?.serialNumber,
  'identity.clientCert.subjectDN': (exchange) => clientCertificate(exchange)?.subjectDN,
  'identity.clientCert.validity.notAfter': (exchange) => clientCertificate(exchange)?.validity.notAfter,
  'identity.clientCert.validity.notBefore': (exchange) => clientCertificate(exchange)?.validity.notBefore,
  'identity.principalOrgId': nothing,
  'identity.sourceIp': (exchange) => text(sourceIp(exchange)),
  'identity.user': nothing,
  'identity.userAgent': (exchange) => text(userAgent(exchange)),
  'identity.userArn': nothing,
  'integration.error': ({ integration }) => text(integration.error),
  'integration.integrationStatus': ({ integration }) => number(integration.serviceStatus || integration.status),
  'integration.latency': integrationLatency,
  'integration.requestId': ({ integration }) => text(integration.requestId),
  'integration.status': ({ integration }) => number(integration.status),
  integrationErrorMessage: ({ integration }) => text(integration.error),
  integrationLatency,
  integrationStatus: ({ integration }) => number(integration.serviceStatus || integration.status),
  path: contextPath,
  // Also for a client of HTTP/2: towards integrations it is what is spoken.
  protocol: () => 'HTTP/1.1',
  requestId: ({ id }) => id,
  requestTime: ({ receivedAt }) => commonLogTime(receivedAt),
  requestTimeEpoch: ({ receivedAt }) => String(receivedAt),
  responseLatency: ({ receivedAt, endedAt }) => (endedAt === 0 ? undefined : String(Math.max(0, endedAt - receivedAt))),
  responseLength: ({ bytes }) => String(bytes),
  routeKey: ({ route }) => route?.key,
  stage: ({ deployment }) => deployment?.api.stage.name,
  status: ({ status }) => number(status),
}

type TokenHolder = Extract<Caller, { type: 'JWT' }>

/** `$context.authorizer.claims.x`, written as in events. */
export function renderClaim({ claims, claimsAs }: TokenHolder, name: string): string | undefined {
  return Object.hasOwn(claims, name) ? renderClaimValue(claims[name], claimsAs) : undefined
}

/**
 * A claim as AWS hands it to functions and mappings: always a text, lists as `[a b]`; `undefined` for null, which is
 * left out. The brackets lose where one value ends, so nothing may be decided by them; `json` keeps it.
 */
export function renderClaimValue(value: unknown, as: TokenHolder['claimsAs']): string | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof value === 'string') return value
  if (as === 'json') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item) => renderClaimValue(item, as) ?? '').join(' ')}]`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function contextText(context: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = Object.hasOwn(context, key) ? context[key] : undefined
  if (value === null || value === undefined) return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (value: number): string => String(value).padStart(2, '0')
let second = -1
let written = ''

/**
 * The common log format, in UTC. The text of a second is kept: a busy gateway asks for it thousands of times.
 * @param at milliseconds since 1970
 */
export function commonLogTime(at: number): string {
  const seconds = Math.floor(at / 1000)
  if (seconds === second) return written
  const date = new Date(at)
  second = seconds
  written =
    `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
    `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
  return written
}
