/** What the events of all triggers have in common, under Auth0's names. */
import type { RequestEnvironment } from '../../environments/environment.ts'

interface KnownClient {
  client_id: string
  name: string
  client_metadata: object
}

interface KnownConnection {
  id: string
  name: string
  strategy: string
  metadata: object
}

/** A request as far as an Action may know it. */
export interface SeenRequest {
  ip: string
  method: string
  userAgent: string | undefined
  /** What the caller said in it. */
  query?: Record<string, unknown>
  body?: Record<string, unknown>
}

export const clientEvent = ({ client_id, name, client_metadata }: KnownClient) => ({
  client_id,
  name,
  metadata: client_metadata,
})

export const connectionEvent = ({ id, name, strategy, metadata }: KnownConnection) => ({ id, name, strategy, metadata })

export const requestEvent = (environment: RequestEnvironment, seen: SeenRequest) => ({
  ip: seen.ip,
  method: seen.method,
  hostname: new URL(environment.origin).hostname,
  ...(seen.userAgent ? { user_agent: seen.userAgent.slice(0, 400) } : {}),
  ...(environment.language ? { language: environment.language } : {}),
  query: seen.query ?? {},
  body: seen.body ?? {},
  geoip: {},
})

/** A row of a person without what is empty in it. */
export const presentMembers = (row: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined))
