/** Fixture of the exports' tests: random APIs, the same for the same seed. */
import {
  type Api,
  type Authorizer,
  type Definition,
  type Integration,
  methods,
  type Route,
  type TenantLimits,
  type Throttling,
  unlimited,
} from '../../api.ts'
import { defaultHostSuffix } from '../cloudformation/cloudformation.ts'

export interface Random {
  below(limit: number): number
  pick<T>(items: readonly T[]): T
  maybe(): boolean
  some<T>(items: readonly T[]): T[]
}

export function createRandom(seed: number): Random {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const maybe = (): boolean => next() < 0.5
  return { below, maybe, pick: (items) => items[below(items.length)]!, some: (items) => items.filter(maybe) }
}

const roots = ['orders', 'items-2', 'a.b', 'users', '~x', 'v1']
const tails = ['', '/{id}', '/{id}/lines/{line}', '/{rest+}', '/', '/new']
const statics = ['a', '$request.header.x-in', '$context.requestId', `at \${request.path} by \${context.routeKey}`]
const region = 'eu-north-1'
const accountId = '000000000001'
const arn = (name: string): string => `arn:aws:lambda:${region}:${accountId}:function:${name}`

/** An API with one to three stages. */
export function randomApi(random: Random, id: string, isExtended = false, isMutual = true): readonly Api[] {
  const { pick, maybe, some, below } = random
  const authorizers = Object.fromEntries(
    some(['tenants', 'device.v2', 'Other_one']).map((name) => [name, randomAuthorizer(random, isExtended)]),
  )
  const keys = new Set(
    Array.from({ length: 1 + below(8) }, () => `${pick(['ANY', ...methods])} /${pick(roots)}${pick(tails)}`),
  )
  if (maybe()) keys.add('$default')
  const shared = Object.fromEntries(some(['shared', 'a/b~c']).map((name) => [name, randomIntegration(random, null)]))
  const integrations: Record<string, Integration> = { ...shared }
  const routes = [...keys].map((key, index): Route => {
    const isShared = Object.keys(shared).length > 0 && maybe()
    const integration = isShared ? pick(Object.keys(shared)) : key
    if (!isShared) integrations[key] = randomIntegration(random, /\{(\w+)\+?\}/.exec(key)?.[1] ?? null)
    const route = { key, integration, authorization: randomAuthorization(random, authorizers) }
    return maybe() ? { ...route, operationName: `operation${index}` } : route
  })
  const disableExecuteApiEndpoint = maybe()
  const definition: Definition = {
    name: pick(['shop', '1.0', 'true', 'Größe: "x"']),
    description: maybe() ? 'what: it\n does' : null,
    version: pick([null, '1.0', '2026-01-01']),
    tags: Object.fromEntries(some(['team', 'cost center']).map((tag) => [tag, pick(['', 'a b', '1'])])),
    routes,
    authorizers,
    integrations,
    cors: maybe() ? randomCors(random) : null,
    disableExecuteApiEndpoint,
    ...(isExtended && maybe() ? { tenantLimits: randomLimits(random) } : {}),
  }
  return some(['$default', 'live', 'test_2']).map(
    (name): Api => ({
      ...definition,
      ...{ id, accountId, region },
      stage: {
        name,
        variables: { backend: 'up.example.test', ...(maybe() ? { other: 'a-b' } : {}) },
        accessLogFormat: maybe() ? '$context.requestId "$context.status"' : null,
        throttling: randomThrottling(random),
        routeThrottling: Object.fromEntries(some([...keys]).map((key) => [key, randomThrottling(random)])),
      },
      endpoints: [
        ...(disableExecuteApiEndpoint
          ? []
          : [
              { host: `${id}.${defaultHostSuffix}`, basePath: name === '$default' ? '' : name, kind: 'stage' as const },
            ]),
        ...some(['a.example.test', '*.example.test']).map((host) => ({
          host,
          basePath: `${id}/${name === '$default' ? 'v0' : name}`,
          kind: 'mapping' as const,
          ...(host.startsWith('*') && isMutual ? { truststoreUri: 's3://authorities/devices.pem' } : {}),
        })),
      ],
    }),
  )
}

function randomAuthorization({ maybe, pick, some }: Random, authorizers: Api['authorizers']): Route['authorization'] {
  const names = Object.keys(authorizers)
  if (names.length === 0 || maybe()) return { type: 'NONE' }
  const authorizer = pick(names)
  return authorizers[authorizer]!.type === 'JWT'
    ? { type: 'JWT', authorizer, scopes: some(['read:x', 'write:x']) }
    : { type: 'CUSTOM', authorizer }
}

function randomAuthorizer({ maybe, pick, some }: Random, isExtended: boolean): Authorizer {
  if (maybe()) {
    const extensions = {
      issuers: some([{ issuer: 'https://pool-1.example.test/', audience: ['b'] }]),
      algorithms: some(['ES256', 'EdDSA'] as const),
      requiredClaims: some([
        { name: 'email_verified', expectedValues: ['true'], isRequired: true },
        { name: 'org', expectedValues: [], isRequired: true },
        { name: 'https://x.test/y', expectedValues: ['a'], isRequired: false },
      ]),
      tenantBindings: some([
        { claim: 'org', to: 'path', parameter: 'id' },
        { claim: 'org', to: 'hostLabel' },
        { claim: 'domain', to: 'host' },
      ] as const),
      jsonClaims: maybe(),
    }
    return {
      ...(isExtended && maybe() ? { extensions } : {}),
      type: 'JWT',
      issuer: pick(['https://id.example.test/', 'https://pool-1.example.test/']),
      audience: ['https://api.example.test', ...some(['b'])],
      identitySource: pick([
        { from: 'header', name: 'authorization' },
        { from: 'querystring', name: 'Token' },
      ]),
    }
  }
  const identitySource = some(['$request.header.X-Key', '$context.routeKey', '$stageVariables.backend'])
  const isNew = maybe()
  return {
    type: 'REQUEST',
    functionArn: pick([arn('check'), arn('check:live')]),
    payloadFormatVersion: isNew ? '2.0' : '1.0',
    enableSimpleResponses: isNew && maybe(),
    identitySource,
    resultTtlSeconds: identitySource.length > 0 ? pick([0, 300]) : 0,
    credentialsArn: maybe() ? `arn:aws:iam::${accountId}:role/service/invoke` : null,
  }
}

function randomIntegration({ maybe, pick, some }: Random, parameter: string | null): Integration {
  const shared = {
    timeoutMs: pick([50, 30_000, 1234]),
    requestParameters: Object.fromEntries(
      some(['append:header.x-a', 'overwrite:querystring.q', 'overwrite:path']).map((key) => [key, pick(statics)]),
    ),
    responseParameters: Object.fromEntries(
      some(['200', '404']).map((status) => [status, { 'overwrite:statuscode': '502', 'remove:header.x-b': '' }]),
    ),
  }
  if (maybe()) {
    const payloadFormatVersion = pick(['1.0', '2.0'] as const)
    const functionArn = pick([arn('orders'), arn('orders:live')])
    const credentialsArn = maybe() ? `arn:aws:iam::${accountId}:role/invoke` : null
    return { type: 'AWS_PROXY', functionArn, payloadFormatVersion, credentialsArn, ...shared }
  }
  const tail = parameter === null ? '' : `/{${parameter}}?q={${parameter}}`
  return {
    type: 'HTTP_PROXY',
    method: pick(['ANY', ...methods]),
    uri: `https://\${stageVariables.backend}/base${tail}`,
    ...shared,
  }
}

function randomCors({ maybe, some, pick }: Random): Api['cors'] {
  const allowCredentials = maybe()
  return {
    allowOrigins: allowCredentials ? ['https://app.example.test'] : some(['*', 'https://*', 'http://localhost:3000']),
    allowCredentials,
    allowMethods: some(['GET', '*']),
    allowHeaders: some(['authorization', 'x-y']),
    exposeHeaders: some(['*']),
    maxAge: pick([null, 0, 600]),
  }
}

const randomThrottling = ({ pick, maybe }: Random): Throttling =>
  maybe() ? unlimited : { rateLimit: pick([null, 10.5]), burstLimit: pick([null, 20]) }

const randomLimits = ({ maybe, some }: Random): TenantLimits => ({
  tenant: maybe() ? { from: 'claim', name: 'org_id' } : { from: 'context', name: 'tenant' },
  plan: maybe() ? { from: 'claim', name: 'https://x.test/plan' } : null,
  plans: { free: { perSecond: 0.5, burst: 1 }, pro: { perSecond: 100, burst: 200 } },
  tenants: Object.fromEntries(some(['org_1', 'org 2']).map((tenant) => [tenant, 'pro'])),
  defaultPlan: 'free',
})
