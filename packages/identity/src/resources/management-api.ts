/**
 * What all resources of the Management API share: who may call (a token of this environment, for this API, with the
 * route's scope), how a refusal looks, and the promise that each route declares itself completely.
 *
 * A token of another environment is worth nothing: its signature belongs to other keys, and its issuer to other origins.
 */

import { STATUS_CODES } from 'node:http'
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import { type Api, Exact } from '@tenantry/kernel/http/slice.ts'
import { defineProblems, type Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import type { ConfigurationCache } from '../configuration-cache.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import { verifyJwt } from '../keys/jwt.ts'
import type { Keyrings } from '../keys/keyring.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import { auditOperation } from './audit.ts'
import { managementScopes } from './management-scopes.ts'
import { createRateLimit, RATE_HEADERS, type RateLimit, problems as rateProblems } from './rate-limit.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope a caller needs; a list means any of them. */
    scope?: string | readonly string[]
  }
  interface FastifyRequest {
    environment: RequestEnvironment
    /** Scopes of the caller's token; set on the Management API. */
    callerScopes: ReadonlySet<string>
    /** Whose token it is: a client's own, or a person's that a client holds. Set on the Management API. */
    caller: Caller | undefined
  }
}

export interface Caller {
  clientId: string | undefined
  userId: string | undefined
}

export const problems = defineProblems({
  missing_authentication: { status: 401, title: 'Missing authentication' },
  insufficient_scope: { status: 403, title: 'Insufficient scope, expected any of: {scopes}' },
  organization_token: {
    status: 403,
    title: 'This token is bound to an organization, and the Management API is above all of them. Get one without.',
  },
  not_found: { status: 404, title: 'Not Found' },
  operation_not_supported: { status: 501, title: '{what}' },
})

/** The audience of the Management API at one origin. */
export const managementAudience = (origin: string): string => `${origin}/api/v2/`

/**
 * SDKs derive the audience from the domain they were given, so each origin of an environment is an alias of the same API.
 * Rows know the first one.
 */
export function canonicalAudience(environment: { origins: string[] }, audience: string): string {
  const aliases = environment.origins.map(managementAudience)
  return aliases.includes(audience) ? aliases[0]! : audience
}

/** Auth0's shape of a refusal. */
export const Refusal = Type.Object({
  statusCode: Type.Integer(),
  error: Type.String(),
  message: Type.String(),
  errorCode: Type.Optional(Type.String()),
})

/** Declares the refusals of a route: `response: { 200: Organization, ...refusals(400, 404) }`. 401 and 403 always belong. */
export const refusals = <const S extends number[]>(...statuses: S) =>
  Object.fromEntries([401, 403, ...statuses].map((status) => [status, Refusal])) as Record<
    S[number] | 401 | 403,
    typeof Refusal
  >

export interface ManagementApiDependencies {
  keyrings: Keyrings
  cache: ConfigurationCache
  clock: Clock
  tenantLog: TenantLog
  rate: RateLimit
}

/** Installs the hooks on the encapsulated part of the server that serves `/api/v2`. */
export function governManagementApi(app: Api, deps: ManagementApiDependencies): void {
  const { keyrings, cache, clock, tenantLog } = deps
  const admit = createRateLimit(deps)
  app.decorateRequest('callerScopes')
  app.decorateRequest('caller')

  app.addHook('onRoute', (route) => {
    if (route.method === 'HEAD') return
    const schema = route.schema as
      | { operationId?: string; summary?: string; tags?: string[]; response?: object }
      | undefined
    if (!schema?.operationId || !schema.summary || !schema.tags || !schema.response || !route.config?.scope) {
      throw new Error(`${route.method} ${route.url} must declare operationId, summary, tags, response and its scope.`)
    }
    const unknown = [route.config.scope].flat().find((scope) => !managementScopes.includes(scope))
    if (unknown) throw new Error(`${route.method} ${route.url} asks for ${unknown}, which management-scopes.ts lacks.`)
    // What a route does not take is refused, not ignored: a filter with a typing error would select everything.
    route.schema = { querystring: Exact({}), ...route.schema }
  })

  app.addHook('onRequest', async (request, reply) => {
    const token = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (!token) throw problems.missing_authentication()
    const claims = await verifyJwt(await keyrings(request.environment.id), token, {
      issuers: request.environment.origins.map((origin) => `${origin}/`),
      audiences: request.environment.origins.map(managementAudience),
      now: clock.now(),
    })
    request.callerScopes = new Set(typeof claims.scope === 'string' ? claims.scope.split(' ') : [])
    request.caller = callerOf(claims)
    const admission = await admit(request.environment.id, request.caller.clientId ?? String(claims.sub))
    reply.headers(admission.headers)
    if (!admission.admitted) {
      if (admission.isFirstRefusal) tenantLog.add(request.environment.id, { type: 'api_limit', ...asker(request) })
      reply.header('retry-after', String(admission.retryAfter))
      const { requests: limit, seconds } = deps.rate
      throw rateProblems.too_many_requests({ facts: { limit, seconds } })
    }
    if (claims.org_id !== undefined) throw problems.organization_token()
    const needed = [request.routeOptions.config.scope ?? []].flat()
    if (needed.length > 0 && !needed.some((scope) => request.callerScopes.has(scope))) {
      throw problems.insufficient_scope({ facts: { scopes: needed.join(' ') } })
    }
  })

  // The caller reads what it wrote: the database's announcement to this process may still be on its way.
  app.addHook('onSend', async (request, reply, payload) => {
    // Not after a refusal: whoever has no token could make the cache worthless for everybody.
    if (request.method !== 'GET' && reply.statusCode < 400) cache.forget(request.environment.id)
    await auditOperation(tenantLog, request, reply, payload)
  })

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
    // The body was not read, and whatever comes next on this connection would be taken for it.
    if (problem.status === 413 || problem.status === 415) reply.header('connection', 'close')
    if (typeof problem.facts.retryAfter === 'number') reply.headers(rateLimitHeaders(problem, clock.now()))
    if (problem.status >= 500) hastenRetries(reply, problem)
    return reply.code(problem.status).send(renderRefusal(problem))
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(renderRefusal(problems.not_found())))
}

/** Auth0's headers of a 429 with a limit of its own. Its SDKs wait until `x-ratelimit-reset`. */
function rateLimitHeaders({ facts }: Problem, now: Date): Record<string, string> {
  const retryAfter = facts.retryAfter as number
  return {
    'retry-after': String(retryAfter),
    'x-ratelimit-limit': String(facts.limit),
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(epochSeconds(now) + retryAfter),
  }
}

/**
 * SDKs repeat whatever answers 500 or more, up to ten times, and before each time wait for `x-ratelimit-reset`: a minute,
 * although it was not the rate that stood in the way. Without that header they wait for as long as they see fit; what is
 * not supported will not be supported then either, so it asks them not to wait.
 */
function hastenRetries(reply: FastifyReply, { status }: Problem): void {
  for (const name of RATE_HEADERS) reply.removeHeader(name)
  if (status === 501) reply.header('retry-after', '1')
}

/** `sub` is a person, or `{client}@clients` for a client's own token. */
function callerOf(claims: { sub?: string; azp?: unknown; client_id?: unknown }): Caller {
  const client = claims.azp ?? claims.client_id
  const own = claims.sub?.endsWith('@clients') ?? false
  return {
    clientId: typeof client === 'string' ? client : own ? claims.sub!.slice(0, -'@clients'.length) : undefined,
    userId: own ? undefined : claims.sub,
  }
}

export const renderRefusal = (problem: Problem) => ({
  statusCode: problem.status,
  error: STATUS_CODES[problem.status] ?? 'Error',
  message: problem.message,
  errorCode: problem.code,
})
