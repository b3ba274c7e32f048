/** AWS's CORS: the gateway answers preflights and owns every `access-control-*` header of an API that configures it. */
import type { Cors } from './api.ts'
import type { Router } from './routing/router.ts'

export interface CompiledCors {
  /** Header pairs for an answer to a request with this origin; empty when the origin is not allowed. */
  answer(origin: string): readonly string[]
  /** Header pairs for the 204 that answers a preflight. */
  preflight(origin: string): readonly string[]
}

/** Returns what is wrong with a CORS configuration, or `null`. */
export function corsFault(cors: Cors): string | null {
  const isWide = cors.allowOrigins.some((origin) => origin.includes('*'))
  // AWS refuses `*`; `https://*` with credentials would open the API to every page on the web just the same.
  if (cors.allowCredentials && isWide) return "allow-credentials is not supported if 'allow-origin' holds a wildcard"
  const odd = cors.allowOrigins.find((origin) => !isOriginPattern(origin))
  return odd === undefined ? null : `"${odd}" is neither an origin nor "*", "https://*" or "http://*"`
}

export function compileCors(cors: Cors): CompiledCors {
  const origins = new Set(cors.allowOrigins.map((origin) => origin.toLowerCase()))
  const isOpen = origins.has('*')
  const credentials = cors.allowCredentials ? ['access-control-allow-credentials', 'true'] : []
  const exposed = listField('access-control-expose-headers', cors.exposeHeaders)
  const preflightFields = [
    ...listField('access-control-allow-methods', cors.allowMethods),
    ...listField('access-control-allow-headers', cors.allowHeaders),
    ...(cors.maxAge === null ? [] : ['access-control-max-age', String(cors.maxAge)]),
  ]
  const allow = (origin: string): readonly string[] | null => {
    if (isOpen) return ['access-control-allow-origin', '*']
    const asked = origin.toLowerCase()
    const isAllowed =
      origins.has(asked) ||
      (asked.startsWith('https://') && origins.has('https://*')) ||
      (asked.startsWith('http://') && origins.has('http://*'))
    return isAllowed ? ['access-control-allow-origin', origin, 'vary', 'origin', ...credentials] : null
  }
  // Without `vary` a shared cache would hand the answer for one origin to another.
  const refused = isOpen ? [] : ['vary', 'origin']
  return {
    answer: (origin) => {
      const allowed = allow(origin)
      return allowed === null ? refused : [...allowed, ...exposed]
    },
    preflight: (origin) => {
      const allowed = allow(origin)
      return allowed === null ? refused : [...allowed, ...preflightFields]
    },
  }
}

/**
 * The keys of guarded routes that browsers cannot reach: their preflights carry no token and are refused.
 * @param routes those of an API with a CORS configuration
 */
export function refusedPreflights({ find, routes }: Router): readonly string[] {
  return routes
    .filter((route) => route.authorization.type !== 'NONE' && (route.method === null || route.method === 'ANY'))
    .filter((route) => {
      const names =
        route.method === null ? ['any'] : route.segments.map((it) => (it.kind === 'static' ? it.text : 'any'))
      return find('OPTIONS', { path: `/${names.join('/')}`, segments: names, query: '' }) === route
    })
    .map(({ key }) => key)
}

const listField = (name: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [name, values.join(',')]

function isOriginPattern(origin: string): boolean {
  if (origin === '*' || origin === 'https://*' || origin === 'http://*') return true
  if (origin.includes('*') || !URL.canParse(origin)) return false
  // Custom schemes (`capacitor://localhost`) have the origin "null" in the URL standard, but browsers do send them.
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]+$/i.test(origin)
}
