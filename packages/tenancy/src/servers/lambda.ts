/**
 * The kit in AWS Lambda functions behind Amazon API Gateway, or Tenantry's: events of HTTP APIs (format 2.0) and of REST
 * APIs (format 1.0).
 *
 * An event is JSON that whoever may invoke the function can write, its `authorizer` part included. So the token in its
 * headers is verified again, unless `trustGateway` says that nobody but the gateway can invoke the function.
 */
import { systemTime } from '../clock.ts'
import { withIdentity, withoutIdentity } from '../identity/context.ts'
import { identityOf, requireScope, type SaasIdentity, type SaasIdentityOptions } from '../identity/saas-identity.ts'
import { TokenRefused } from '../refusal.ts'
import { claimInvalid } from '../token/rules.ts'
import { type Authenticate, refusalAnswer } from './http.ts'

/** What is read of an event; everything else is the handler's. */
export interface ApiEvent {
  readonly headers?: Readonly<Record<string, string | undefined>> | null
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null
  readonly requestContext?: object
}

/** What both formats accept. */
export interface ApiAnswer {
  statusCode: number
  headers: Record<string, string>
  body: string
}

/** Events that are believed, see `trustGateway`. */
export interface TrustedEvents {
  identityOf(event: ApiEvent): SaasIdentity
}

/**
 * Makes a handler one that serves one tenant: it runs as the caller's identity, and refused calls are answered. A function
 * that is kept warm serves one caller after the other; what one leaves behind stays that caller's.
 *
 * @param caller `createAuthenticator(…)`, which verifies the bearer token again, or `trustGateway(…)`
 * @param anyOf the caller needs one of these scopes; without any, a good token is enough
 * @returns from a handler its tenant's one; errors that are not refusals come out of it
 * @example
 * export const handler = tenantRoute(authenticate, 'read:item')(async (event) => {
 *   return { statusCode: 200, body: JSON.stringify(await database.inTenant(listItems)) }
 * })
 */
export function tenantRoute(caller: Authenticate | TrustedEvents, ...anyOf: string[]) {
  return <Event extends ApiEvent, Rest extends unknown[], Answer>(
    handler: (event: Event, ...rest: Rest) => Answer | Promise<Answer>,
  ): ((event: Event, ...rest: Rest) => Promise<Answer | ApiAnswer>) =>
    async (event, ...rest) => {
      try {
        const identity = await withoutIdentity(async () => callerOf(event, caller))
        const [first, ...others] = anyOf
        if (first !== undefined) requireScope(identity, first, ...others)
        return await withoutIdentity(() => withIdentity(identity, async () => handler(event, ...rest)))
      } catch (error) {
        const refusal = refusalAnswer(error)
        if (!refusal) throw error
        const headers = { ...refusal.headers, 'content-type': 'application/json; charset=utf-8' }
        return { statusCode: refusal.status, headers, body: JSON.stringify(refusal.body) }
      }
    }
}

const callerOf = (event: ApiEvent, caller: Authenticate | TrustedEvents): SaasIdentity | Promise<SaasIdentity> =>
  typeof caller === 'function' ? caller({ authorization: authorizationOf(event) }) : caller.identityOf(event)

/** REST APIs keep the case that the client wrote; a header that came twice is in the lists alone, or joined by a comma. */
function authorizationOf({ headers, multiValueHeaders }: ApiEvent): string | undefined {
  const named = <T>(all: Readonly<Record<string, T>> | null | undefined): T[] =>
    Object.entries(all ?? {}).flatMap(([name, value]) => (name.toLowerCase() === 'authorization' ? [value] : []))
  const single = named(headers).filter((value) => value !== undefined)
  const lists = named(multiValueHeaders).flatMap((values) => values ?? [])
  if (single.length > 1 || lists.length > 1) {
    throw new TokenRefused('token_malformed', 'There is more than one Authorization header.')
  }
  return single[0] ?? lists[0]
}

export interface TrustGatewayOptions extends Omit<SaasIdentityOptions, 'issuers'> {
  /**
   * Why the event can be believed: the function's resource policy lets nobody invoke it but API Gateway, and it has no
   * function URL. Only you can know.
   */
  because: 'only the gateway can invoke this function'
  /** The ids of the APIs whose events are believed: another API of the account may have another authorizer, or none. */
  apiIds: readonly [string, ...string[]]
  /**
   * Who decided at the gateway: a `jwt` authorizer (of an HTTP API, or Cognito's of a REST API), or a function (`lambda`)
   * of yours that returns claims as its context and the subject as `sub` or as its principal.
   */
  authorizer: 'jwt' | 'lambda'
  /** With `jwt`: exactly the issuers whose tokens the authorizer takes. */
  issuer?: string | readonly string[]
  now?: () => Date
}

/** A function runs no longer than this, and an identity without an expiry lasts no longer than its call. */
const LONGEST_CALL_MS = 900_000

/**
 * Believes what the gateway's authorizer has found, without verifying the token again. The gateway hands on claims as
 * texts, lists among them as `[a b]`, which cannot be told from a text that looks so: where a list decides (roles), it is
 * refused.
 *
 * @throws Error for options that leave open who is believed
 * @example
 * const events = trustGateway({
 *   because: 'only the gateway can invoke this function',
 *   apiIds: ['a1b2c3d4e5'],
 *   authorizer: 'jwt',
 *   issuer: 'https://login.example.com/',
 *   tenantClaim: 'https://example.com/tenantId',
 * })
 * export const handler = tenantRoute(events, 'read:item')(async (event) => {
 *   return { statusCode: 200, body: JSON.stringify(await database.inTenant(listItems)) }
 * })
 */
export function trustGateway(options: TrustGatewayOptions): TrustedEvents {
  const now = options.now ?? systemTime
  const issuers = [options.issuer ?? []].flat()
  if (options.because !== 'only the gateway can invoke this function') {
    throw new Error(
      'Events are only to be trusted when nobody but the gateway can invoke the function: say so, or verify.',
    )
  }
  if (options.apiIds.length === 0) throw new Error('Say which APIs are believed: apiIds needs at least one id.')
  if (options.authorizer === 'jwt' && issuers.length === 0)
    throw new Error('Say whose tokens the authorizer takes: issuer.')

  return {
    identityOf(event) {
      const context = members(event.requestContext)
      const found = members(context.authorizer)
      const isKnown = typeof context.apiId === 'string' && options.apiIds.includes(context.apiId)
      if (!isKnown) throw new TokenRefused('token_missing', 'The event comes from no API that is trusted here.')
      const claims = options.authorizer === 'jwt' ? jwtClaims(found, issuers) : lambdaClaims(found)
      const subject = claims.sub
      if (typeof subject !== 'string' || subject.trim() === '') throw claimInvalid('sub')
      const expiresAt = expiryOf(claims.exp, options.authorizer, now())
      return identityOf({ claims, subject, expiresAt }, options)
    },
  }
}

type Members = Readonly<Record<string, unknown>>
const members = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {}

function jwtClaims(authorizer: Members, issuers: readonly string[]): Members {
  // HTTP APIs nest in format 2.0 and do not in 1.0, as Cognito's authorizers of REST APIs do not.
  const node = 'jwt' in authorizer ? members(authorizer.jwt) : authorizer
  const claims = members(node.claims)
  if (Object.keys(claims).length === 0) {
    throw new TokenRefused('token_missing', 'The gateway has authorized nobody: the route has no JWT authorizer.')
  }
  if (typeof claims.iss !== 'string' || !issuers.includes(claims.iss)) {
    throw new TokenRefused('issuer_refused', 'The token comes from an issuer that is not accepted here.')
  }
  const read = Object.entries(claims).map(([name, value]) => [name, listed(value)] as const)
  // Permissions that cannot be read are none; of any other claim that decides, it is a refusal.
  return Object.fromEntries(read.filter(([name, value]) => name !== 'permissions' || value !== UNREADABLE))
}

const UNREADABLE = {}

/** Lists that the gateway wrote as JSON are lists again; of the form `[a b]` nothing can be said. */
function listed(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith('[')) return value
  try {
    return JSON.parse(value)
  } catch {
    return UNREADABLE
  }
}

function lambdaClaims(authorizer: Members): Members {
  const context = 'lambda' in authorizer ? members(authorizer.lambda) : authorizer
  if (Object.keys(context).length === 0) {
    throw new TokenRefused('token_missing', 'The gateway has authorized nobody: the route has no Lambda authorizer.')
  }
  return 'sub' in context ? context : { ...context, sub: context.principalId }
}

function expiryOf(exp: unknown, authorizer: 'jwt' | 'lambda', now: Date): Date {
  if (exp === undefined && authorizer === 'lambda') return new Date(now.getTime() + LONGEST_CALL_MS)
  // REST APIs write Cognito's expiry as a date.
  const isSeconds = typeof exp === 'number' || (typeof exp === 'string' && /^\d+(\.\d+)?$/.test(exp))
  const time = isSeconds ? Number(exp) * 1000 : typeof exp === 'string' ? Date.parse(exp) : Number.NaN
  if (Number.isNaN(new Date(time).getTime())) throw claimInvalid('exp')
  if (time <= now.getTime()) throw new TokenRefused('token_expired', 'The token has expired.')
  return new Date(time)
}
