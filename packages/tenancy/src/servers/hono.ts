/** The kit in Hono. Written for its Node server; nothing here needs more than a Fetch API and AsyncLocalStorage. */
import type { MiddlewareHandler } from 'hono'
import { withIdentity, withoutIdentity } from '../identity/context.ts'
import { type Authenticate, refusalAnswer } from './http.ts'
import { callerOf } from './request.ts'

/**
 * The middleware of a route or of a whole application that serves one tenant: the caller is authenticated before anything
 * of the request is parsed, and what comes after it runs as the caller's identity.
 *
 * @param authenticate from `createAuthenticator`
 * @param anyOf the caller needs one of these scopes; without any, a good token is enough
 * @throws TokenRefused into `app.onError`; answer it with `refusalResponse`
 * @example
 * app.use('/items/*', tenantRoute(authenticate))
 * app.get('/items', tenantRoute(authenticate, 'read:item'), async (c) => c.json(await database.inTenant(listItems)))
 * app.onError((error, c) => refusalResponse(error) ?? c.json({ message: 'Internal Server Error' }, 500))
 */
export function tenantRoute(authenticate: Authenticate, ...anyOf: string[]): MiddlewareHandler {
  return async (c, next) => {
    const headers = () => ({ authorization: c.req.header('authorization') })
    const identity = await callerOf(c, headers, authenticate, anyOf)
    await withoutIdentity(() => withIdentity(identity, next))
  }
}

/**
 * The answer to a refused call, or undefined for any other error.
 *
 * @example
 * app.onError((error, c) => refusalResponse(error) ?? c.json({ message: 'Internal Server Error' }, 500))
 */
export function refusalResponse(error: unknown): Response | undefined {
  const refusal = refusalAnswer(error)
  return refusal && Response.json(refusal.body, { status: refusal.status, headers: refusal.headers })
}
