/**
 * Transactions that see one tenant.
 *
 * PostgreSQL's row-level security compares each row with a setting of the transaction; this module is the only place
 * that sets it. The rules it keeps, each learned from a way in which others leaked:
 *
 * - `set_config(…, true)` only, inside a transaction: a session-wide SET survives into the next borrower of a pooled
 *   connection.
 * - No transaction without a scope: a query outside cannot be written, since there is no other way to a `Tx`.
 * - A missing, empty or blank tenant is refused here, before the database is asked.
 *
 * The policy that goes with it (after a transaction the setting reads '' and not NULL, hence nullif):
 *
 *   create policy tenant on items
 *     using      (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
 *     with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
 */

import type { PendingQuery, ReservedSql, Row, Sql, TransactionSql } from 'postgres'
import { withoutIdentity } from '../identity/context.ts'

declare const scoped: unique symbol
/** A transaction inside a scope. The brand keeps bare connections out of stores. */
export type Tx = TransactionSql & { readonly [scoped]: true }

export type Scope = Readonly<Record<string, string>>

/**
 * Runs `work` in one transaction whose settings are the scope. The settings and BEGIN are one message, in the same flush as the
 * first query of `work`, so neither costs a round trip of its own; COMMIT costs one. On a pool that was idle for a second,
 * BEGIN is waited for, and tried again on another connection should that one be dead.
 *
 * @throws whatever `work` throws, after ROLLBACK.
 * @example
 * await inScope(sql, { 'app.tenant_id': tenantId }, (tx) => tx`select name from items`)
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export async function inScope<T>(sql: Sql, scope: Scope, work: (tx: Tx) => Promise<T>): Promise<T> {
  checkScope(scope)
  return untilBegun((attempt) => transaction(sql, scope, work, attempt))
}

/** Whether the caller's work has been entered, after which nothing may be tried again. */
export interface Attempt {
  begun: boolean
}

/**
 * A pooled connection that died while idle (a restart, a failover) says so at its next use. As long as `work` has not
 * begun, trying again repeats nothing.
 */
export async function untilBegun<T>(transaction: (attempt: Attempt) => Promise<T>): Promise<T> {
  const attempt = { begun: false }
  for (let tries = 1; ; tries++) {
    try {
      return await transaction(attempt)
    } catch (error) {
      if (attempt.begun || tries === 3 || !isConnectionLost(error)) throw error
      // Connections mostly die together; a moment lets the pool hear of all of them.
      await new Promise((resolve) => setTimeout(resolve, 20 * tries))
    }
  }
}

async function transaction<T>(sql: Sql, scope: Scope, work: (tx: Tx) => Promise<T>, attempt: Attempt): Promise<T> {
  // A connection outlives whoever opened it; what its socket calls by itself must not run as him, for others.
  const connection = (await withoutIdentity(() => sql.reserve())) as ReservedSql & { failure: unknown }
  try {
    const tx = Object.assign(connection, { savepoint: savepointsOf(connection) }) as unknown as Tx
    // Not awaited: pipelined in front of the first query of `work`, which spares a round trip. If BEGIN failed, nothing
    // would hold the settings, so policies would show and take no row; and the transaction fails for it below.
    const opening = open(sql, tx, scope)
    opening.catch(() => {})
    if (!answeredLately(sql)) await opening
    attempt.begun = true
    let value: T
    try {
      value = await work(tx)
      await opening
    } catch (error) {
      // On a connection that is gone there is nothing to roll back.
      await tx`rollback`.catch(() => {})
      // What a statement of an aborted transaction says tells nothing; what aborted it does.
      throw codeOf(error) === IN_FAILED_TRANSACTION ? (connection.failure ?? error) : error
    }
    // PostgreSQL answers COMMIT with ROLLBACK when a statement had failed, though nobody may have looked at its error.
    // Another driver tells of the last statement in a message, and so not what became of COMMIT.
    const { command } = await ('knowsScopes' in sql ? tx.unsafe(COMMIT_LEAVING_NOTHING) : tx`commit`)
    if (command === 'ROLLBACK') throw connection.failure ?? new Error('The transaction was rolled back.')
    lastAnswer.set(sql, performance.now())
    return value
  } finally {
    connection.release()
  }
}

/**
 * Whether the pool's server has answered within a second. Otherwise its connections may have died unnoticed, as over the
 * sleep of a laptop or a failover, and work had better not begin before one has spoken.
 */
const answeredLately = (sql: Sql): boolean => performance.now() - (lastAnswer.get(sql) ?? -Infinity) < 1000
const lastAnswer = new WeakMap<Sql, number>()

/**
 * A session keeps its temporary tables, cursors WITH HOLD and LISTEN beyond a transaction, and the next tenant on the connection
 * could read them; a temporary table would even stand in front of the real one. In the same message as COMMIT they are gone
 * before anybody else comes, behind a pooler as well, and cost no round trip: 5 µs of the server's CPU where there are none.
 */
export const COMMIT_LEAVING_NOTHING = 'commit; close all; discard temp; unlisten *'

const IN_FAILED_TRANSACTION = '25P02'
const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null | undefined)?.code

/** As `savepoint` of the driver's own transactions: what fails inside is undone, and the transaction goes on. */
function savepointsOf(connection: ReservedSql & { failure: unknown }) {
  let count = 0
  return async <T>(nameOrWork: string | ((tx: Tx) => Promise<T>), named?: (tx: Tx) => Promise<T>): Promise<T> => {
    const [label, work] = typeof nameOrWork === 'string' ? [`_${nameOrWork}`, named!] : ['', nameOrWork]
    const name = connection(`s${count++}${label}`)
    await connection`savepoint ${name}`
    const { failure } = connection
    try {
      return await work(connection as unknown as Tx)
    } catch (error) {
      await connection`rollback to ${name}`
      connection.failure = failure
      throw error
    }
  }
}

/**
 * One statement in its own scoped transaction, in a single round trip: the settings and the statement are one message, which
 * PostgreSQL commits whole or not at all.
 *
 * @param sql a pool of `@tenantry/tenancy/driver`: no other one sends the settings
 * @example
 * const [item] = await onceInScope(sql, { 'app.tenant_id': tenantId }, (tx) => tx`select name from items where id = '1'`)
 * item // → { name: 'Anvil' }
 */
export async function onceInScope<R extends readonly Row[]>(
  sql: Sql,
  scope: Scope,
  statement: (tx: Tx) => PendingQuery<R & Row[]>,
): Promise<R> {
  checkScope(scope)
  if (!('knowsScopes' in sql)) {
    throw new Error('This driver would send the statement without its scope. Use the one of @tenantry/tenancy/driver.')
  }
  return carrying(statement(sql as unknown as Tx), scope)
}

/** Settings that the mended driver sends in front of a statement, in the same message. */
function carrying<Q extends object>(query: Q, scope: Scope): Q {
  Object.assign((query as { options: object }).options, { scope })
  return query
}

/** In front of BEGIN they belong to its transaction: PostgreSQL makes one of all that comes in a message. */
const open = (sql: Sql, tx: Tx, scope: Scope): Promise<unknown> =>
  'knowsScopes' in sql
    ? carrying(tx`begin`, scope).execute()
    : Promise.all([tx`begin`.execute(), setScope(tx, scope).execute()])

/**
 * Whether an error of the driver says that there is no connection (any more): the server ended the session (FATAL, PANIC),
 * the socket went away, or none could be opened. Of a transaction under way it is then unknown whether it was committed.
 */
export function isConnectionLost(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, severity, syscall } = error as { code?: unknown; severity?: unknown; syscall?: unknown }
  if (severity === 'FATAL' || severity === 'PANIC') return true
  // node-postgres gives these no code.
  if (error instanceof Error && /^Connection terminated|not queryable$|^Client was closed/.test(error.message))
    return true
  if (typeof code !== 'string') return false
  // A Unix socket that is not there yet (ENOENT) or not for us is told by the system call.
  return (
    syscall === 'connect' ||
    /^(CONNECT_TIMEOUT|CONNECTION_\w+|ECONN\w+|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code)
  )
}

// One call per setting: as rows of an array, the same cost a quarter more of an empty transaction (95 against 121 µs of
// the client's CPU, 45 against 60 of the server's).
function setScope(tx: Tx, scope: Scope) {
  const [first, ...rest] = Object.entries(scope).map(([name, value]) => tx`set_config(${name}, ${value}, true)`)
  return tx`select ${rest.reduce((calls, call) => tx`${calls}, ${call}`, first ?? tx`null`)}`
}

/** @throws when a setting is empty: a transaction must never run for nobody in particular. */
export function checkScope(scope: Scope): void {
  for (const [name, value] of Object.entries(scope)) {
    if (typeof value !== 'string' || value.trim() === '') {
      throw new Error(`The scope setting ${name} is empty; a transaction needs to know whose rows it may see.`)
    }
  }
}
