import type { Api, HttpProxyIntegration } from '../../../api.ts'
import { resolveStageVariables } from '../../../integrations/uri.ts'
import { requestMappingRules, responseMappingRules } from './mapping.ts'
import type { Features } from './report.ts'
import type { NamedRoute } from './routing.ts'
import { literal, word } from './words.ts'

/** The backend of a route: how its requests are rewritten, and where they go. */
export function backendOf(
  api: Api,
  route: NamedRoute,
  integration: HttpProxyIntegration,
  directory: string,
  features: Features,
): string {
  const resolved = resolveStageVariables(integration.uri, api.stage.variables)
  const [, origin = '', path = '/', query = ''] =
    /^(https?:\/\/[^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(resolved) ?? []
  const url = new URL(origin)
  const isTls = url.protocol === 'https:'
  const port = url.port || (isTls ? '443' : '80')
  const request = requestMappingRules(api, route, integration.requestParameters, features)
  const response = responseMappingRules(api, route, integration.responseParameters, features)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const tls = isTls ? ` ssl verify required ca-file @system-ca sni str(${host}) verifyhost ${host}` : ''
  features.approximate(
    route.key,
    'integration timeout',
    `ends an integration that is silent for ${integration.timeoutMs} ms, not one that takes longer in all`,
  )
  if (isTls)
    features.approximate(route.key, 'TLS to the integration', 'trusts the certificate authorities of the machine')
  return [
    `backend ${route.id}`,
    '  retries 0',
    `  timeout connect ${integration.timeoutMs}ms`,
    `  timeout server ${integration.timeoutMs}ms`,
    ...[502, 503, 504].map((status) => `  errorfile ${status} ${word(`${directory}/unavailable.http`)}`),
    ...parameterRules(route),
    ...request.map((line) => `  ${line}`),
    ...(request.some((line) => line.startsWith('http-request set-path'))
      ? []
      : [`  http-request set-path ${word(pathFormat(path, route))}`]),
    ...queryRules(query, route),
    ...(integration.method === 'ANY' ? [] : [`  http-request set-method ${integration.method}`]),
    ...(request.some((line) => line.startsWith('http-request set-header host'))
      ? []
      : [`  http-request set-header host ${url.host}`]),
    ...(api.cors === null ? [] : ['  http-response del-header access-control- -m beg']),
    ...response.map((line) => `  ${line}`),
    `  server upstream ${host.includes(':') ? `[${host}]` : host}:${port} init-addr last,libc,none${tls}`,
    '',
  ].join('\n')
}

/** What the path's variables hold, read before the path is rewritten. */
const parameterRules = ({ segments }: NamedRoute): string[] =>
  segments.flatMap((segment, index) => {
    if (segment.kind === 'static') return []
    // The first field is what stands before the leading slash.
    const field = segment.kind === 'greedy' ? `field(${index + 2},/,0)` : `field(${index + 2},/)`
    return [`  http-request set-var(txn.p${index}) var(txn.path),${field}`]
  })

/** The variable that holds a path parameter, or `null` where the route has none of that name. */
export function parameterVariable({ segments, method }: NamedRoute, name: string): string | null {
  const index = segments.findIndex((segment) => segment.kind !== 'static' && segment.name === name)
  if (index !== -1) return `var(txn.p${index})`
  return method === null && name === 'proxy' ? 'var(txn.path),regsub("^/","")' : null
}

const placeholder = /\{([^{}]*)\}/

function pathFormat(path: string, route: NamedRoute): string {
  // `$default` passes the whole path on.
  if (route.method === null && !placeholder.test(path)) return `${literal(path.replace(/\/$/, ''))}%[var(txn.path)]`
  return fill(path, route, (fetch) => `%[${fetch}]`)
}

function queryRules(query: string, route: NamedRoute): string[] {
  if (query === '') return []
  const own = fill(query, route, (fetch) => `%[${fetch},url_dec,url_enc(query)]`)
  return [
    `  http-request set-query ${word(`${own}&%[query]`)} if { query -m len gt 0 }`,
    `  http-request set-query ${word(own)} if !{ query -m len gt 0 }`,
  ]
}

const fill = (template: string, route: NamedRoute, write: (fetch: string) => string): string =>
  template
    .split(placeholder)
    .map((part, index) => (index % 2 === 0 ? literal(part) : write(parameterVariable(route, part)!)))
    .join('')
