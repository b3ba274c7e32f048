/**
 * An API as a configuration of HAProxy 2.6: what a fixed set of keys and rules can say, with a report of what it cannot.
 * Every doubt is resolved towards refusing a request: what HAProxy reads less exactly is let through less often.
 */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { answers } from '../../../answers.ts'
import { type Api, limits, methods } from '../../../api.ts'
import { problems } from '../../problems.ts'
import { backendOf } from './backend.ts'
import { corsRules } from './cors.ts'
import { refusalRules, scopeRules, verifyRules } from './jwt.ts'
import { createFeatures, type FeatureReport, type Features } from './report.ts'
import { type NamedRoute, nameRoutes, routingRules } from './routing.ts'
import { bodyRule, tenantRules, throttlingRules } from './throttling.ts'
import { files as answerFiles, isOneOf, matches, reply, word } from './words.ts'

export interface HaproxyOptions {
  /** Where it listens, as HAProxy writes it: `*:8080`, `:443 ssl crt /etc/site.pem`. */
  readonly bind?: string
  /** Where `files` will lie: an absolute path. */
  readonly directory: string
  /** Public keys (PEM) by authorizer and key id, as they are now; `pemsOf` reads them from a key set. */
  readonly keys: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Keys of routes that are left out. */
  readonly exclude?: readonly string[]
  /** How many elements of `aud` and `scp` are looked at. 8 by default. */
  readonly arrayLength?: number
}

export interface HaproxyExport {
  readonly config: string
  /** By name, to be written into the directory. */
  readonly files: Readonly<Record<string, string>>
  readonly report: readonly FeatureReport[]
}

/**
 * @throws Problem `definition_not_exportable` when a route that is not excluded needs what HAProxy cannot do; its facts
 *   hold the whole report
 */
export function exportHaproxy(api: Api, options: HaproxyOptions): HaproxyExport {
  const features = createFeatures()
  const excluded = new Set(options.exclude ?? [])
  const routes = nameRoutes(api.routes.filter(({ key }) => !excluded.has(key)))
  for (const route of routes) checkRoute(api, route, features)
  const authorizers = authorizersOf(api, routes, options, features)
  const backends = routes.flatMap((route) => {
    const integration = api.integrations[route.integration]
    return integration?.type === 'HTTP_PROXY' ? [backendOf(api, route, integration, options.directory, features)] : []
  })
  const throttling = throttlingRules(api, routes, features)
  const tenants = tenantRules(api, options.directory, features)
  reportWhole(api, features)
  refuseRefused(api, features.all)
  const cors = corsRules(api.cors)
  const config = [
    ...head(options),
    ...frontend(api, routes, authorizers, options).map((line) => `  ${line}`),
    ...throttling.rules.map((line) => `  ${line}`),
    ...tenants.rules.map((line) => `  ${line}`),
    ...cors.answer.map((line) => `  ${line}`),
    "  http-after-response set-header apigw-requestid '%[unique-id]'",
    '  http-after-response del-header content-type if { var(txn.bare) -m bool }',
    '  use_backend %[var(txn.route)]',
    '',
    ...throttling.tables,
    ...tenants.tables,
    ...backends,
  ].join('\n')
  const keyFiles = authorizers.flatMap(({ files }) => Object.entries(files))
  return { config, files: { ...answerFiles, ...Object.fromEntries(keyFiles), ...tenants.files }, report: features.all }
}

/** The RSA keys of a key set (RFC 7517), as PEM by key id. */
export function pemsOf(keySet: unknown): Readonly<Record<string, string>> {
  const keys = (keySet as { keys?: readonly (JsonWebKey & { kid?: unknown })[] } | null)?.keys ?? []
  const rsa = keys.filter(({ kty, kid }) => kty === 'RSA' && typeof kid === 'string')
  return Object.fromEntries(
    rsa.map((jwk) => {
      const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
      return [String(jwk.kid), pem]
    }),
  )
}

interface ExportedAuthorizer {
  readonly id: string
  readonly name: string
  readonly rules: readonly string[]
  readonly files: Readonly<Record<string, string>>
}

function checkRoute(api: Api, { key, integration, authorization }: NamedRoute, features: Features): void {
  const target = api.integrations[integration]
  if (target?.type !== 'HTTP_PROXY') features.refuse(key, 'function', 'HAProxy invokes no functions')
  else features.exact(key, 'HTTP integration')
  if (authorization.type === 'CUSTOM') features.refuse(key, 'function as authorizer', 'HAProxy invokes no functions')
  if (authorization.type === 'JWT' && authorization.scopes.length > 0) {
    features.approximate(key, 'scopes', 'of a list only the first elements are looked at')
  }
}

function authorizersOf(
  api: Api,
  routes: readonly NamedRoute[],
  { keys, directory, arrayLength = 8 }: HaproxyOptions,
  features: Features,
): readonly ExportedAuthorizer[] {
  const used = new Set(
    routes.flatMap(({ authorization }) => (authorization.type === 'JWT' ? [authorization.authorizer] : [])),
  )
  return [...used].flatMap((name, index) => {
    const authorizer = api.authorizers[name]
    if (authorizer?.type !== 'JWT') return []
    const where = `authorizer ${name}`
    if (authorizer.extensions !== undefined) {
      features.refuse(where, 'extensions', 'the checks beyond AWS would be left out')
      return []
    }
    const pems = Object.entries(keys[name] ?? {})
    const odd = pems.find(([kid]) => !/^[\x21-\x7e]+$/.test(kid))
    if (pems.length === 0 || odd !== undefined) {
      features.refuse(
        where,
        'keys',
        odd === undefined ? 'no RSA key is given' : `the key id ${JSON.stringify(odd[0])} cannot be written`,
      )
      return []
    }
    features.approximate(where, 'keys', 'are those of now: after a rotation the configuration must be written anew')
    features.approximate(where, 'claims', 'of an audience in a list only the first elements are looked at')
    const id = `a${index}`
    const named = pems.map(([kid, pem], i) => ({ kid, pem, file: `${id}-${i}.pem` }))
    const keyFiles = new Map(named.map(({ kid, file }) => [kid, `${directory}/${file}`]))
    return [
      {
        id,
        name,
        rules: verifyRules({ authorizer, id, keyFiles, arrayLength }),
        files: Object.fromEntries(named.map(({ file, pem }) => [file, pem])),
      },
    ]
  })
}

function reportWhole(api: Api, features: Features): void {
  const { id } = api
  for (const { host, truststoreUri } of api.endpoints) {
    if (truststoreUri !== undefined) features.refuse(String(host), 'mutual TLS', 'clients would need no certificate')
  }
  features.exact(id, 'routing')
  features.exact(id, 'stage variables')
  if (api.cors !== null) features.exact(id, 'CORS')
  features.approximate(id, 'paths', 'percent-encoded characters other than the space are answered 400')
  features.approximate(id, 'size of requests', 'bodies are measured by content-length, heads without their first line')
  const { accessLogFormat, detailedMetrics } = api.stage
  if (detailedMetrics !== undefined) features.approximate(id, 'metrics', "are HAProxy's own")
  if (accessLogFormat !== null) features.approximate(id, 'access log', "is HAProxy's own, in its own format")
}

function refuseRefused(api: Api, report: readonly FeatureReport[]): void {
  const refused = report.filter((row) => row.class === 'refused')
  if (refused.length === 0) return
  const reason = `${api.id}: ${refused.map(({ where, feature, says }) => `${where} (${feature}): ${says}`).join('; ')}`
  throw problems.definition_not_exportable({ facts: { reason, report } })
}

const head = ({ bind = '*:8080', directory }: HaproxyOptions): string[] => [
  'global',
  '  tune.bufsize 32768',
  '',
  'defaults',
  '  mode http',
  '  timeout connect 5s',
  '  timeout client 60s',
  '  timeout server 30s',
  '  timeout http-request 10s',
  '  timeout http-keep-alive 65s',
  `  errorfile 400 ${word(`${directory}/bad-request.http`)}`,
  '',
  'frontend gateway',
  `  bind ${bind}`,
  // Sixteen characters that end in an equals sign, as AWS's are.
  "  unique-id-format '%[uuid,regsub(-,,g),bytes(0,15)]='",
]

function frontend(
  api: Api,
  routes: readonly NamedRoute[],
  authorizers: readonly ExportedAuthorizer[],
  { arrayLength = 8 }: HaproxyOptions,
): string[] {
  const cors = corsRules(api.cors)
  const authOf = ({ id, name }: ExportedAuthorizer): string[] => {
    const own = routes.filter(({ authorization }) => authorization.type === 'JWT' && authorization.authorizer === name)
    return [
      `http-request set-var(txn.auth) str(${id}) if ${isOneOf(
        'var(txn.route)',
        own.map((route) => route.id),
      )}`,
    ]
  }
  return [
    'http-request set-var(txn.method) method',
    ...forwardedRules,
    ...reply(answers.headTooLarge, `{ req.hdrs,length gt ${limits.headBytes} }`),
    ...cors.origin,
    ...routingRules(api, routes),
    ...cors.preflight('!{ var(txn.route) -m found }'),
    ...reply(answers.noRoute, '!{ var(txn.route) -m found }'),
    ...reply(answers.noRoute, `!{ method ${methods.join(' ')} }`),
    ...bodyRule(answers.bodyTooLarge),
    ...authorizers.flatMap(authOf),
    ...authorizers.flatMap(({ rules }) => rules),
    ...(authorizers.length === 0 ? [] : refusalRules()),
    ...routes.flatMap((route) => scopeRules(route, arrayLength)),
    ...cors.preflight(''),
  ]
}

/** A client's own values are dropped, not extended: an integration cannot tell the forged part of a list. */
const forwardedRules = [
  'http-request set-var(txn.authority) req.fhdr(host)',
  'http-request del-header forwarded',
  'http-request del-header x-forwarded- -m beg',
  "http-request set-header forwarded 'for=%[src];host=%[var(txn.authority)];proto=http' if !{ ssl_fc } " +
    matches('var(txn.authority)', "^[A-Za-z0-9_.!#$%&'*+^`|~-]+$"),
  `http-request set-header forwarded 'for=%[src];host="%[var(txn.authority)]";proto=http' if !{ ssl_fc } !{ req.hdr(forwarded) -m found }`,
  `http-request set-header forwarded 'for=%[src];host="%[var(txn.authority)]";proto=https' if { ssl_fc }`,
  "http-request set-header x-forwarded-for '%[src]'",
  "http-request set-header x-forwarded-host '%[var(txn.authority)]'",
  "http-request set-header x-forwarded-port '%[dst_port]'",
  'http-request set-header x-forwarded-proto http if !{ ssl_fc }',
  'http-request set-header x-forwarded-proto https if { ssl_fc }',
]
