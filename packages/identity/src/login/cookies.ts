/**
 * Four cookies. `session` is the browser's sign-in; `browser` binds login transactions to one browser; `remembered` stands
 * in for a second factor that was passed in it; `cross-origin` binds the ticket that a page of an application was given.
 * Over TLS all are `__Host-` cookies, which no sibling subdomain can set. All but one are SameSite=None there, because
 * silent authentication runs in a frame on the application's site, and tickets are given to its pages; the browser's is
 * Lax, so that no cross-site POST carries it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

export type CookieName = 'session' | 'browser' | 'remembered' | 'cross-origin'

const fullName = (request: FastifyRequest, name: CookieName): string =>
  isSecure(request) ? `__Host-tenantry-${name}` : `tenantry-${name}`

const isSecure = (request: FastifyRequest): boolean => request.environment.origin.startsWith('https:')

/** A name that occurs twice is worth nothing: one of the two may have been planted ("Cookie Crumbles", USENIX 2023). */
export function readCookie(request: FastifyRequest, name: CookieName): string | undefined {
  const wanted = fullName(request, name)
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .filter(([key]) => key === wanted)
    .map(([, value]) => value)
  const value = values.length === 1 ? values[0] : undefined
  return value && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined
}

export function setCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  name: CookieName,
  value: string,
  /** Without one it ends with the browser's window. */
  maxAgeSeconds: number | undefined,
): void {
  const sameSite = isSecure(request) && name !== 'browser' ? 'None' : 'Lax'
  const secure = isSecure(request) ? '; Secure' : ''
  const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`
  reply.header(
    'set-cookie',
    `${fullName(request, name)}=${value}; Path=/; HttpOnly; SameSite=${sameSite}${secure}${age}`,
  )
}

export const clearCookie = (request: FastifyRequest, reply: FastifyReply, name: CookieName): void =>
  setCookie(request, reply, name, '', 0)
