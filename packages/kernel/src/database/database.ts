/**
 * The one way to PostgreSQL. A transaction is only to be had inside a scope, so a query that forgets its WHERE still
 * sees one environment, or one organization of it:
 *
 *   inEnvironment(env, tx => …)        rows of that environment
 *   inOrganization(env, org, tx => …)  and, in tables that know organizations, of that organization only
 *   once(env, tx => statement)         one statement, one round trip
 *   acrossEnvironments(reason, sql => …)  the loudly named door: environments themselves, migrations, clean-up
 *
 * The application connects as a role that owns nothing and cannot bypass row-level security; the door uses the owner.
 */
import { inScope, isConnectionLost, onceInScope, type Tx } from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import type { PendingQuery, Row, Sql } from 'postgres'
import { defineProblems } from '../problem.ts'
import { parseAddress } from './address.ts'

export type { Tx }

export const problems = defineProblems({
  // RFC 6749 §4.1.2.1 names it so; the other edges take the same word.
  temporarily_unavailable: { status: 503, title: 'The service is temporarily unavailable. Try again in a moment.' },
})

/**
 * A lost connection leaves it unknown whether COMMIT was reached, so nothing is tried again on the caller's behalf: a
 * code or refresh token would be redeemed twice, which ends its family.
 */
const refuseLost = (cause: unknown): never => {
  throw isConnectionLost(cause) ? problems.temporarily_unavailable({ cause }) : cause
}

/** Every method that asks the database throws `temporarily_unavailable` when it is away. */
export interface Database {
  inEnvironment<T>(environmentId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  inOrganization<T>(environmentId: string, organizationId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  once<R extends readonly Row[]>(environmentId: string, statement: (tx: Tx) => PendingQuery<R & Row[]>): Promise<R>
  /** Every use names its reason, which goes into the log. */
  acrossEnvironments<T>(reason: string, work: (sql: Sql) => Promise<T>): Promise<T>
  /**
   * Hears of every change to configuration, in any process (LISTEN on a channel that carries an environment's id and
   * nothing else). `undefined` means that changes may have been missed: forget everything.
   */
  onChange(listener: (environmentId: string | undefined) => void): void
  /** Hears of every announcement on a channel of one's own; `undefined` as in `onChange`, at the beginning too. */
  listen(channel: string, listener: (payload: string | undefined) => void): Promise<void>
  /** @throws when the server does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface DatabaseUrls {
  /** Non-owner role, subject to every policy. */
  application: string
  /** Owns the schema: migrations and the door across environments. */
  owner: string
  /** May create databases and roles, and gives them to the owner; only the embedded server has it. */
  provisioner?: string
}

export interface DatabaseOptions {
  urls: DatabaseUrls
  /** Connections of the application role; the owner has two. */
  poolSize?: number
  onAcross?: (reason: string) => void
  /** Hears of each statement of the application role before it is sent: for tests that look at plans. */
  onStatement?: ((text: string, parameters: unknown[]) => void) | undefined
}

const ENVIRONMENT = 'tenantry.environment_id'
const ORGANIZATION = 'tenantry.organization_id'

/** A pool of connections. `url` may name a Unix socket as libpq does: `postgres://user:password@localhost/name?host=/dir`. */
export function connect(text: string, max: number, onStatement?: DatabaseOptions['onStatement']): Sql {
  const { url, ...socket } = parseAddress(text)
  return postgres(url, {
    ...socket,
    max,
    onnotice: () => {},
    ...(onStatement
      ? { debug: (_connection: number, text: string, parameters: unknown[]) => onStatement(text, parameters) }
      : {}),
    connect_timeout: 10,
    // The driver's own pauses grow to 20 seconds, in which a database that is back would still be called away.
    backoff: (tries: number) => Math.min(0.05 * 2 ** tries, 0.5) * (0.5 + Math.random() / 2),
    // bigint stays exact as text: ids beyond 2^53 must never merge.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: String } },
  }) as unknown as Sql
}

export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const { urls, poolSize = 10, onAcross = () => {} } = options
  const application = connect(urls.application, poolSize, options.onStatement)
  const owner = connect(urls.owner, 2)
  const listeners: ((environmentId: string | undefined) => void)[] = []
  const tell = (environmentId: string | undefined) => {
    for (const listener of listeners) listener(environmentId)
  }
  // onlisten also runs after a lost connection came back: what happened in between is unknown.
  await owner.listen(
    'tenantry_changes',
    (environmentId) => tell(environmentId || undefined),
    () => tell(undefined),
  )
  return {
    inEnvironment: (environmentId, work) =>
      inScope(application, { [ENVIRONMENT]: environmentId }, work).catch(refuseLost),
    inOrganization: (environmentId, organizationId, work) =>
      inScope(application, { [ENVIRONMENT]: environmentId, [ORGANIZATION]: organizationId }, work).catch(refuseLost),
    once: (environmentId, statement) =>
      onceInScope(application, { [ENVIRONMENT]: environmentId }, statement).catch(refuseLost),
    acrossEnvironments: async (reason, work) => {
      if (typeof reason !== 'string' || reason.trim() === '') {
        throw new Error('Whoever reaches across environments needs a reason, which is logged.')
      }
      onAcross(reason)
      return work(owner).catch(refuseLost)
    },
    onChange: (listener) => void listeners.push(listener),
    listen: async (channel, listener) => void (await owner.listen(channel, listener, () => listener(undefined))),
    ping: async () => void (await application`select 1`),
    close: async () => void (await Promise.all([application.end({ timeout: 5 }), owner.end({ timeout: 5 })])),
  }
}
