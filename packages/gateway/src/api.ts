/**
 * The intermediate representation of one HTTP API: what every definition format (OpenAPI, and whatever else describes
 * an API) is read into, and the only thing the data plane executes. Plain data, no behaviour: it can be compared,
 * stored and printed.
 */
export interface Api {
  readonly id: string
  readonly name: string
  /** `Host` names (lower case, without port) this API answers. Empty: every host that no other API claims. */
  readonly hosts: readonly string[]
  readonly routes: readonly Route[]
  readonly authorizers: Readonly<Record<string, JwtAuthorizer>>
  readonly integrations: Readonly<Record<string, HttpProxyIntegration>>
  readonly cors: Cors | null
  readonly stageVariables: Readonly<Record<string, string>>
}

export interface Route {
  /** `$default`, or `METHOD /path` with `{name}` and a last `{name+}`. */
  readonly key: string
  readonly integration: string
  readonly authorization: Authorization
}

export type Authorization =
  | { readonly type: 'NONE' }
  | { readonly type: 'JWT'; readonly authorizer: string; readonly scopes: readonly string[] }

export interface JwtAuthorizer {
  readonly type: 'JWT'
  /** Compared with `iss` as a string: a trailing slash matters. */
  readonly issuer: string
  readonly audience: readonly string[]
  readonly identitySource: IdentitySource
}

export interface IdentitySource {
  readonly from: 'header' | 'querystring'
  /** Header names in lower case; query-string names are case-sensitive. */
  readonly name: string
}

export interface HttpProxyIntegration {
  readonly type: 'HTTP_PROXY'
  /** `ANY` passes the client's method on. */
  readonly method: string
  /** May hold `${stageVariables.x}` anywhere and `{parameter}` in the path and the query, never in the host. */
  readonly uri: string
  readonly timeoutMs: number
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
  authorizers: 10,
  audiences: 50,
  scopes: 10,
  timeoutMs: { min: 50, max: 30_000 },
  discoveryTimeoutMs: 1_500,
  keySetTimeoutMs: 1_500,
  keySetBytes: 150_000,
} as const

/** The methods an HTTP API knows; `ANY` stands for those that a path does not name. */
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
