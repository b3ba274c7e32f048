import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { SaasIdentity } from '../identity/saas-identity.ts'
import type { Authenticate } from './http.ts'
import { callerOf, headersOf, runAs } from './request.ts'

export interface TenantRoute {
  onRequest(request: FastifyRequest): Promise<void>
  preValidation(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void
}

/**
 * The hooks of a route that serves one tenant: the caller is authenticated before anything of the request is parsed, and
 * the handler runs as the caller's identity.
 *
 * @param anyOf the caller needs one of these scopes; without any, a good token is enough
 * @throws TokenRefused into Fastify's error handler; answer it with `refusalAnswer`
 * @example
 * app.get('/items', tenantRoute(authenticate, 'read:item'), () => database.inTenant(listItems))
 * app.setErrorHandler((error, request, reply) => {
 *   const refusal = refusalAnswer(error)
 *   if (!refusal) throw error
 *   reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
 * })
 * @example For all routes of a plugin
 * app.register(async (plugin) => {
 *   const { onRequest, preValidation } = tenantRoute(authenticate)
 *   plugin.addHook('onRequest', onRequest)
 *   plugin.addHook('preValidation', preValidation)
 *   plugin.get('/items', () => database.inTenant(listItems))
 * })
 */
export function tenantRoute(authenticate: Authenticate, ...anyOf: string[]): TenantRoute {
  const identities = new WeakMap<FastifyRequest, SaasIdentity>()
  return {
    async onRequest(request) {
      identities.set(request, await callerOf(request, () => headersOf(request.raw), authenticate, anyOf))
    },
    // Only here, because the body is read in between: its events come from the socket, in nobody's context.
    preValidation: (request, reply, done) => runAs(identities.get(request)!, request.raw, reply.raw, () => done()),
  }
}
