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
import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres'

declare const scoped: unique symbol
/** A transaction inside a scope. The brand keeps bare connections out of stores. */
export type Tx = TransactionSql & { readonly [scoped]: true }

export type Scope = Readonly<Record<string, string>>

/**
 * Runs `work` in one transaction whose settings are the scope. BEGIN and the settings travel in the same flush as the
 * first query of `work`, so a scope costs no round trip of its own; COMMIT costs one.
 *
 * @throws whatever `work` throws, after ROLLBACK.
 * @example
 * const items = await inScope(sql, { 'app.tenant_id': tenantId }, (tx) => tx`select * from items`)
 */
export async function inScope<T>(sql: Sql, scope: Scope, work: (tx: Tx) => Promise<T>): Promise<T> {
  checkScope(scope)
  const attempt = { begun: false }
  for (let tries = 1; ; tries++) {
    try {
      return await transaction(sql, scope, work, attempt)
    } catch (error) {
      // A pooled connection that died while idle (a restart, a failover) says so at its next use, and the driver
      // (3.4.9) repeats it once to the user of its successor. As long as `work` has not begun, trying again repeats
      // nothing.
      if (attempt.begun || tries === 3 || !isConnectionLost(error)) throw error
      // Connections mostly die together; a moment lets the pool hear of all of them.
      await new Promise((resolve) => setTimeout(resolve, 20 * tries))
    }
  }
}

async function transaction<T>(
  sql: Sql,
  scope: Scope,
  work: (tx: Tx) => Promise<T>,
  attempt: { begun: boolean },
): Promise<T> {
  const result = await sql.begin(async (tx) => {
    attempt.begun = true
    // Not awaited: it is pipelined in front of the first query of `work`. Its failure aborts the transaction anyway.
    const set = setScope(tx as unknown as Tx, scope).execute()
    set.catch(() => {})
    try {
      const value = await work(tx as unknown as Tx)
      await set
      return [value] as const
    } catch (error) {
      if (!isConnectionLost(error)) throw error
      // The driver (3.4.9) would now write ROLLBACK to a socket that is gone and die of a TypeError that nobody can
      // catch. There is nothing to roll back; `begin` itself rejects as soon as the connection is closed.
      return new Promise<never>(() => {})
    }
  })
  return (result as readonly [T])[0]
}

/**
 * One statement in its own scoped transaction, in a single round trip: BEGIN, the settings, the statement and COMMIT
 * are pipelined. If the statement fails, PostgreSQL turns that COMMIT into a ROLLBACK.
 *
 * @example
 * const [code] = await onceInScope(sql, { 'app.tenant_id': id }, (tx) => tx`update codes set used_at = now() … returning *`)
 */
export async function onceInScope<R extends readonly Row[]>(
  sql: Sql,
  scope: Scope,
  statement: (tx: Tx) => PendingQuery<R & Row[]>,
): Promise<R> {
  checkScope(scope)
  const connection = await sql.reserve()
  try {
    const tx = connection as unknown as Tx
    const parts = [
      connection`begin`.execute(),
      setScope(tx, scope).execute(),
      statement(tx).execute(),
      connection`commit`.execute(),
    ]
    const outcomes = await Promise.allSettled(parts)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
    return (outcomes[2] as PromiseFulfilledResult<R>).value
  } finally {
    connection.release()
  }
}

/**
 * Whether an error of the driver says that there is no connection (any more): the server ended the session (FATAL, PANIC),
 * the socket went away, or none could be opened. Of a transaction under way it is then unknown whether it was committed.
 */
export function isConnectionLost(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, severity, syscall } = error as { code?: unknown; severity?: unknown; syscall?: unknown }
  if (severity === 'FATAL' || severity === 'PANIC') return true
  if (typeof code !== 'string') return false
  // A Unix socket that is not there yet (ENOENT) or not for us is told by the system call.
  return (
    syscall === 'connect' ||
    /^(CONNECT_TIMEOUT|CONNECTION_\w+|ECONN\w+|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code)
  )
}

const setScope = (tx: Tx, scope: Scope) =>
  tx`select set_config(name, value, true) from unnest(${Object.keys(scope)}::text[], ${Object.values(scope)}::text[]) as scope(name, value)`

function checkScope(scope: Scope): void {
  for (const [name, value] of Object.entries(scope)) {
    if (typeof value !== 'string' || value.trim() === '') {
      throw new Error(`The scope setting ${name} is empty; a transaction needs to know whose rows it may see.`)
    }
  }
}
