/**
 * The intermediate representation of an HTTP API: what every definition format (OpenAPI, SAM, CloudFormation, the
 * control plane) is read into, and the only thing the data plane executes. Plain data, no behaviour: it can be
 * compared, stored and printed.
 */

/** What a definition says, whatever stage it is deployed to; a deployment is a snapshot of it. */
export interface Definition {
  readonly name: string
  readonly description: string | null
  readonly version: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly routes: readonly Route[]
  readonly authorizers: Readonly<Record<string, Authorizer>>
  readonly integrations: Readonly<Record<string, Integration>>
  readonly cors: Cors | null
  /** The API answers under its custom domains only. */
  readonly disableExecuteApiEndpoint: boolean
  /** Beyond AWS; absent: tenants are not limited. */
  readonly tenantLimits?: TenantLimits
}

/** One stage of an API, with what it runs: the unit the data plane compiles and replaces. */
export interface Api extends Definition {
  readonly id: string
  /** Twelve digits; appears in ARNs and events. */
  readonly accountId: string
  readonly region: string
  readonly stage: Stage
  /** Where it answers. */
  readonly endpoints: readonly Endpoint[]
}

export interface Stage {
  /** `$default`, or the first segment of the path at the API's own host. */
  readonly name: string
  readonly variables: Readonly<Record<string, string>>
  /** A one-line format of `$context` variables; `null`: the gateway's own. */
  readonly accessLogFormat: string | null
  /** ARN of the log group that entries go to; absent: the gateway's own log. */
  readonly accessLogGroup?: string
  readonly throttling: Throttling
  /** By route key; what is missing in one is taken from the stage's. */
  readonly routeThrottling: Readonly<Record<string, Throttling>>
  /** Which routes have metrics of their own: those named, and of the others all or none. Absent: none. */
  readonly detailedMetrics?: { readonly stage: boolean; readonly routes: Readonly<Record<string, boolean>> }
}

/** A token bucket. `null`: not limited by this. */
export interface Throttling {
  /** Requests per second; may be a fraction. */
  readonly rateLimit: number | null
  /** Size of the bucket, a whole number. */
  readonly burstLimit: number | null
}

/** A token bucket for each tenant of an API, as large as its plan says. */
export interface TenantLimits {
  /** What names a caller's tenant, in what the authorizer found. */
  readonly tenant: CallerFact
  /** What names the plan; `null`: only the table below does. */
  readonly plan: CallerFact | null
  readonly plans: Readonly<Record<string, { readonly perSecond: number; readonly burst: number }>>
  /** Plans by tenant, before what the caller's own facts say. */
  readonly tenants: Readonly<Record<string, string>>
  readonly defaultPlan: string
}

/** A claim of a verified token, or a value in the context that a Lambda authorizer returned. */
export interface CallerFact {
  readonly from: 'claim' | 'context'
  readonly name: string
}

export interface Endpoint {
  /** Lower case, without port; `*.example.com` for every name below; `null`: every host that nobody else claims. */
  readonly host: string | null
  /** Leading segments of the path that lead here, without slashes at the ends; empty for all paths. */
  readonly basePath: string
  /** `stage`: the base path is the stage's name and stays visible to the integration. `mapping`: a custom domain's. */
  readonly kind: 'stage' | 'mapping'
  /** `s3://bucket/key`: the domain lets in clients with a certificate of these authorities only. */
  readonly truststoreUri?: string
}

export interface Route {
  /** `$default`, or `METHOD /path` with `{name}` and a last `{name+}`. */
  readonly key: string
  readonly integration: string
  readonly authorization: Authorization
  readonly operationName?: string
}

export type Authorization =
  | { readonly type: 'NONE' }
  | { readonly type: 'JWT'; readonly authorizer: string; readonly scopes: readonly string[] }
  | { readonly type: 'CUSTOM'; readonly authorizer: string }

export type Authorizer = JwtAuthorizer | RequestAuthorizer

export interface JwtAuthorizer {
  readonly type: 'JWT'
  /** Compared with `iss` as a string: a trailing slash matters. */
  readonly issuer: string
  readonly audience: readonly string[]
  readonly identitySource: IdentitySource
  /** What goes beyond AWS; absent: nothing does. A strict gateway refuses it. */
  readonly extensions?: JwtExtensions
}

export interface JwtExtensions {
  /** Issuers beside the authorizer's own, each with its own audiences. */
  readonly issuers: readonly { readonly issuer: string; readonly audience: readonly string[] }[]
  /** Accepted instead of RS256, RS384 and RS512; empty: those three. */
  readonly algorithms: readonly Algorithm[]
  readonly requiredClaims: readonly RequiredClaim[]
  readonly tenantBindings: readonly TenantBinding[]
  /** Claims that are lists or objects reach integrations as JSON instead of `[a b]`. */
  readonly jsonClaims: boolean
}

export type Algorithm =
  | ('RS256' | 'RS384' | 'RS512')
  | ('PS256' | 'PS384' | 'PS512')
  | ('ES256' | 'ES384' | 'ES512')
  | 'EdDSA'

export interface RequiredClaim {
  readonly name: string
  /** One of them must be the claim's value, or among its values when it is a list; empty: any value will do. */
  readonly expectedValues: readonly string[]
  /** Whether a token without the claim is refused; otherwise only a wrong value is. */
  readonly isRequired: boolean
}

/** The claim, or one of its values when it is a list, must equal what the request names. */
export type TenantBinding =
  | { readonly claim: string; readonly to: 'path'; readonly parameter: string }
  /** The host without its port, or its first label; both in lower case. */
  | { readonly claim: string; readonly to: 'host' | 'hostLabel' }

export interface IdentitySource {
  readonly from: 'header' | 'querystring'
  /** Header names in lower case; query-string names are case-sensitive. */
  readonly name: string
}

/** A Lambda authorizer. */
export interface RequestAuthorizer {
  readonly type: 'REQUEST'
  /** May hold `${stageVariables.x}` in the function's name and alias. */
  readonly functionArn: string
  readonly payloadFormatVersion: '1.0' | '2.0'
  readonly enableSimpleResponses: boolean
  /** Expressions such as `$request.header.authorization`; all must be present in a request. */
  readonly identitySource: readonly string[]
  /** 0 to 3600; 0: results are not kept. */
  readonly resultTtlSeconds: number
  readonly credentialsArn: string | null
}

export type Integration = HttpProxyIntegration | LambdaIntegration

export interface HttpProxyIntegration {
  readonly type: 'HTTP_PROXY'
  /** `ANY` passes the client's method on. */
  readonly method: string
  /** May hold `${stageVariables.x}` anywhere and `{parameter}` in the path and the query, never in the host. */
  readonly uri: string
  readonly timeoutMs: number
  /** `append:header.x` → `$request.header.y`, as AWS's parameter mapping writes it. */
  readonly requestParameters: Readonly<Record<string, string>>
  /** By status of the upstream's answer. */
  readonly responseParameters: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface LambdaIntegration {
  readonly type: 'AWS_PROXY'
  /** May hold `${stageVariables.x}` in the function's name and alias. */
  readonly functionArn: string
  readonly payloadFormatVersion: '1.0' | '2.0'
  readonly timeoutMs: number
  readonly requestParameters: Readonly<Record<string, string>>
  readonly responseParameters: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly credentialsArn: string | null
}

export interface Cors {
  readonly allowOrigins: readonly string[]
  readonly allowCredentials: boolean
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly maxAge: number | null
}

/** AWS's quotas that change what is accepted. */
export const limits = {
  headBytes: 10_240,
  bodyBytes: 10 * 1024 * 1024,
  routes: 300,
  integrations: 300,
  authorizers: 10,
  audiences: 50,
  scopes: 10,
  stageVariables: 100,
  timeoutMs: { min: 50, max: 30_000 },
  authorizerTimeoutMs: 10_000,
  authorizerTtlSeconds: 3_600,
  discoveryTimeoutMs: 1_500,
  keySetTimeoutMs: 1_500,
  keySetBytes: 150_000,
} as const

/** The methods an HTTP API knows; `ANY` stands for those that a path does not name. */
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

export const unlimited: Throttling = { rateLimit: null, burstLimit: null }

/** A stage with nothing set. */
export const defaultStage = (variables: Readonly<Record<string, string>> = {}): Stage => ({
  name: '$default',
  variables,
  accessLogFormat: null,
  throttling: unlimited,
  routeThrottling: {},
})
