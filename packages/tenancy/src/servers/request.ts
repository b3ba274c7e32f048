/**
 * What the adapters for Node's own requests share: who asks is found out once for each request, and everything of the
 * request runs as that caller.
 *
 * Node emits a request's events from the socket, where nobody's identity is known, and with pipelined requests even from
 * the end of the request before: without `runAs` a listener for the end of one tenant's answer was seen to run as
 * another tenant.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { withIdentity, withoutIdentity } from '../identity/context.ts'
import { requireScope, type SaasIdentity } from '../identity/saas-identity.ts'
import { TokenRefused } from '../refusal.ts'
import { type Authenticate, refusalAnswer } from './http.ts'

const identities = new WeakMap<object, Map<Authenticate, Promise<SaasIdentity>>>()

/**
 * The caller of a request. Asked again with the same `authenticate`, as by a plugin and then by a route, it remembers.
 *
 * @param request what stands for this one request: Node's own, or a framework's
 * @throws TokenRefused
 */
export async function callerOf(
  request: object,
  headers: () => Parameters<Authenticate>[0],
  authenticate: Authenticate,
  anyOf: readonly string[],
): Promise<SaasIdentity> {
  const known = identities.get(request) ?? new Map<Authenticate, Promise<SaasIdentity>>()
  identities.set(request, known)
  const asked = known.get(authenticate) ?? withoutIdentity(async () => authenticate(headers()))
  known.set(authenticate, asked)
  const identity = await asked
  for (const other of known.values()) {
    // Two authenticators may read the tenant from different claims.
    if (other !== asked && (await other).tenantId !== identity.tenantId) {
      throw new TokenRefused('tenant_refused', 'The token names two tenants.')
    }
  }
  const [first, ...others] = anyOf
  if (first !== undefined) requireScope(identity, first, ...others)
  return identity
}

/** Refuses what Node would hide: of two Authorization headers it shows the first, and a proxy may have read the other. */
export function headersOf(request: IncomingMessage): Parameters<Authenticate>[0] {
  let seen = 0
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    if (request.rawHeaders[at]?.toLowerCase() === 'authorization') seen += 1
  }
  if (seen > 1) throw new TokenRefused('token_malformed', 'There is more than one Authorization header.')
  return request.headers
}

/** Runs `work`, and from now on every listener of request and response, as this caller, whoever emits. */
export function runAs<T>(identity: SaasIdentity, request: IncomingMessage, response: ServerResponse, work: () => T): T {
  const isBound = callers.has(request)
  callers.set(request, identity)
  const asCaller = <R>(run: () => R): R => withoutIdentity(() => withIdentity(callers.get(request) ?? identity, run))
  for (const emitter of isBound ? [] : [request, response]) {
    const emit = emitter.emit
    emitter.emit = ((...event: Parameters<typeof emit>) => asCaller(() => emit.apply(emitter, event))) as typeof emit
  }
  return asCaller(work)
}
const callers = new WeakMap<IncomingMessage, SaasIdentity>()

/**
 * Answers a refusal and says so, or leaves the response alone: `false` means that the error is not one, or that the
 * answer has begun already.
 */
export function answerRefusal(error: unknown, response: ServerResponse): boolean {
  const refusal = refusalAnswer(error)
  if (!refusal || response.headersSent) return false
  const body = JSON.stringify(refusal.body)
  const headers = { ...refusal.headers, 'content-type': 'application/json; charset=utf-8' }
  response.writeHead(refusal.status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
  return true
}
