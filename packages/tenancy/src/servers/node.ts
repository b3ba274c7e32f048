/** The kit on `node:http`, without a framework. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticate } from './http.ts'
import { answerRefusal, callerOf, headersOf, runAs } from './request.ts'

export type Handler<T = unknown> = (request: IncomingMessage, response: ServerResponse) => T

/**
 * Makes a handler one that serves one tenant: the caller is authenticated before anything of the body is read, and the
 * handler runs as the caller's identity. Refused calls are answered, also those that the handler refuses itself.
 *
 * @param authenticate from `createAuthenticator`
 * @param anyOf the caller needs one of these scopes; without any, a good token is enough
 * @returns from a handler its tenant's one. Errors that are not refusals come out of it as they would without: catch them
 * @example
 * import { createServer } from 'node:http'
 *
 * const items = tenantRoute(authenticate, 'read:item')(async (request, response) => {
 *   response.end(JSON.stringify(await database.inTenant(listItems)))
 * })
 * createServer((request, response) => {
 *   items(request, response).catch(() => response.writeHead(500).end())
 * }).listen(port)
 */
export function tenantRoute(
  authenticate: Authenticate,
  ...anyOf: string[]
): (handler: Handler) => (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return (handler) => async (request, response) => {
    try {
      const identity = await callerOf(request, () => headersOf(request), authenticate, anyOf)
      await runAs(identity, request, response, () => handler(request, response))
    } catch (error) {
      if (!answerRefusal(error, response)) throw error
    }
  }
}
