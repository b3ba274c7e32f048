/** The kit in Express, 4 and 5, and in whatever else calls `(request, response, next)`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticate } from './http.ts'
import { answerRefusal, callerOf, headersOf, runAs } from './request.ts'

export type TenantRoute = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void

/**
 * The middleware of a route, a router or a whole application that serves one tenant: the caller is authenticated before
 * anything of the request is parsed, and what comes after it runs as the caller's identity, body parsers, error handlers
 * and the end of the answer included. Put it in front of body parsers; one after the other it asks only once.
 *
 * @param authenticate from `createAuthenticator`
 * @param anyOf the caller needs one of these scopes; without any, a good token is enough
 * @throws TokenRefused into Express's error handlers; put `refusals()` among them
 * @example
 * import express from 'express'
 *
 * const app = express()
 * app.use(tenantRoute(authenticate), express.json())
 * app.get('/items', tenantRoute(authenticate, 'read:item'), async (request, response) => {
 *   response.json(await database.inTenant(listItems))
 * })
 * app.use(refusals())
 */
export function tenantRoute(authenticate: Authenticate, ...anyOf: string[]): TenantRoute {
  return (request, response, next) => {
    callerOf(request, () => headersOf(request), authenticate, anyOf).then(
      (identity) => runAs(identity, request, response, () => next()),
      (error: unknown) => next(error),
    )
  }
}

/**
 * The error handler that answers refused calls: 401, 403 or 503, `www-authenticate` and `{ message, code }`. Other errors
 * go on to the next error handler.
 *
 * @example
 * app.use(refusals()) // behind the routes
 */
export function refusals(): (
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void {
  // Express tells error handlers by their four parameters.
  return (error, _request, response, next) => {
    if (!answerRefusal(error, response)) next(error)
  }
}
