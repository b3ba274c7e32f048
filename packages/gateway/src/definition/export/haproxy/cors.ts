import type { Cors } from '../../../api.ts'
import { word } from './words.ts'

const preflight = '{ method OPTIONS } { req.hdr(origin) -m found } { req.hdr(access-control-request-method) -m found }'

/** Rules that answer preflights and remember the origin of everything else. */
export interface CorsRules {
  /** Before the route is known. */
  readonly origin: readonly string[]
  /** Answers preflights that `condition` holds for. */
  preflight(condition: string): readonly string[]
  /** For every answer, whoever gives it. */
  readonly answer: readonly string[]
}

export function corsRules(cors: Cors | null): CorsRules {
  if (cors === null) return { origin: [], preflight: () => [], answer: [] }
  const isOpen = cors.allowOrigins.includes('*')
  const allowed = cors.allowOrigins.filter((origin) => origin !== '*')
  const exact = allowed.filter((origin) => !origin.endsWith('//*'))
  const schemes = allowed.filter((origin) => origin.endsWith('//*')).map((origin) => origin.slice(0, -1))
  const remember = (condition: string): string =>
    `http-request set-var(txn.allowed) ${isOpen ? 'str(*)' : 'req.fhdr(origin)'} if { req.hdr(origin) -m found }${condition}`
  const isAllowed = '{ var(txn.allowed) -m found }'
  const list = (name: string, values: readonly string[]): string =>
    values.length === 0 ? '' : ` hdr ${name} ${word(values.join(','))}`
  const fields =
    list('access-control-allow-methods', cors.allowMethods) +
    list('access-control-allow-headers', cors.allowHeaders) +
    (cors.maxAge === null ? '' : ` hdr access-control-max-age ${cors.maxAge}`)
  const set = (name: string, value: string, condition: string): string =>
    `http-after-response set-header ${name} ${word(value)} if ${condition}`
  const isOrdinary = `${isAllowed} !{ var(txn.preflight) -m found }`
  return {
    origin: [
      'http-request set-var(txn.origin) req.fhdr(origin)',
      `http-request set-var(txn.preflight) bool(true) if ${preflight}`,
      ...(isOpen ? [remember('')] : []),
      ...(!isOpen && exact.length > 0
        ? [remember(` { req.fhdr(origin) -m str -i -- ${exact.map(word).join(' ')} }`)]
        : []),
      ...(isOpen ? [] : schemes.map((scheme) => remember(` { req.fhdr(origin) -m beg -i -- ${word(scheme)} }`))),
    ],
    preflight: (condition) => [
      `http-request return status 204${fields} if { var(txn.preflight) -m found } ${isAllowed} ${condition}`.trimEnd(),
      `http-request return status 204 if { var(txn.preflight) -m found } ${condition}`.trimEnd(),
    ],
    answer: [
      // The gateway owns these names: an integration's own are dropped, in `http-response`.
      set('access-control-allow-origin', '%[var(txn.allowed)]', isAllowed),
      ...(cors.allowCredentials ? [set('access-control-allow-credentials', 'true', isAllowed)] : []),
      ...(cors.exposeHeaders.length > 0
        ? [set('access-control-expose-headers', cors.exposeHeaders.join(','), isOrdinary)]
        : []),
      // Without `vary` a shared cache would hand the answer for one origin to another.
      ...(isOpen ? [] : ['http-after-response add-header vary origin if { var(txn.origin) -m found }']),
    ],
  }
}
