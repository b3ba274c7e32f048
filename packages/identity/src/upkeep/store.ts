import type { PendingQuery, Row, Sql } from 'postgres'

/** Rows of one statement, so that no clean-up holds locks for long. */
const BATCH = 5000

async function removeAll(sql: Sql, table: string, condition: PendingQuery<Row[]>): Promise<number> {
  let removed = 0
  for (;;) {
    const { count } = await sql`
      delete from ${sql(table)} where ctid = any (array(select ctid from ${sql(table)} where ${condition} limit ${BATCH}))`
    removed += count
    if (count < BATCH) return removed
  }
}

export const removeTransactions = (sql: Sql, before: Date) =>
  removeAll(sql, 'login_transactions', sql`expires_at <= ${before}`)

export const removeChallenges = (sql: Sql, before: Date) =>
  removeAll(sql, 'webauthn_challenges', sql`expires_at <= ${before}`)

export const removePostponements = (sql: Sql, before: Date) =>
  removeAll(sql, 'passkey_postponements', sql`until <= ${before}`)

export const removeCodes = (sql: Sql, before: Date) => removeAll(sql, 'codes', sql`expires_at <= ${before}`)

/**
 * A token that was exchanged stays until its whole family has expired, although its own idle time is over: only then is
 * its reuse still recognised as theft.
 */
export const removeRefreshTokens = (sql: Sql, before: Date) =>
  removeAll(
    sql,
    'refresh_tokens',
    sql`expires_at <= ${before} or (rotated_at is null and idle_expires_at <= ${before})`,
  )

/**
 * A grant that was revoked, with what points at it, and one that no code and no refresh token points at any more: nothing
 * can be minted from either. Each sign-in makes one, silent ones too.
 */
export const removeGrants = (sql: Sql, before: Date) =>
  removeAll(
    sql,
    'grants',
    sql`revoked_at <= ${before} or (created_at <= ${before}
        and not exists (select from codes c where c.environment_id = grants.environment_id and c.grant_id = grants.id)
        and not exists (
          select from refresh_tokens t where t.environment_id = grants.environment_id and t.grant_id = grants.id))`,
  )

export const removePasswordlessCodes = (sql: Sql, before: Date) =>
  removeAll(sql, 'passwordless_codes', sql`expires_at <= ${before}`)

export const removeLoginTickets = (sql: Sql, before: Date) =>
  removeAll(sql, 'login_tickets', sql`expires_at <= ${before}`)

export const removeMfaTokens = (sql: Sql, before: Date) => removeAll(sql, 'mfa_tokens', sql`expires_at <= ${before}`)

export const removeDeviceCodes = (sql: Sql, before: Date) =>
  removeAll(sql, 'device_codes', sql`expires_at <= ${before}`)

export const removeSessions = (sql: Sql, before: Date) =>
  removeAll(
    sql,
    'sessions',
    // The setting holds for the statement: a trigger of the table tells the applications why.
    sql`(expires_at <= ${before} or idle_expires_at <= ${before})
      and set_config('tenantry.sign_out', 'session-expired', true) is not null`,
  )

export const removeTickets = (sql: Sql, before: Date) => removeAll(sql, 'tickets', sql`expires_at <= ${before}`)

export const removeFailures = (sql: Sql, before: Date) =>
  removeAll(sql, 'login_failures', sql`window_ends_at <= ${before}`)

export const removeFactorChallenges = (sql: Sql, before: Date) =>
  removeAll(sql, 'factor_challenges', sql`expires_at <= ${before}`)

export const removeFactorTries = (sql: Sql, before: Date) =>
  removeAll(sql, 'factor_tries', sql`window_ends_at <= ${before}`)

export const removeRememberedBrowsers = (sql: Sql, before: Date) =>
  removeAll(sql, 'remembered_browsers', sql`expires_at <= ${before}`)

export const removeEnrolmentTickets = (sql: Sql, before: Date) =>
  removeAll(sql, 'enrolment_tickets', sql`expires_at <= ${before}`)

/** Enrolments that nobody finished, and recovery codes that nobody kept. */
export const removeBegunMethods = (sql: Sql, before: Date) =>
  removeAll(sql, 'authentication_methods', sql`not confirmed and created_at <= ${before}`)

export const removeDeletedOrganizations = (sql: Sql, before: Date) =>
  removeAll(sql, 'deleted_organizations', sql`deleted_at <= ${before}`)

export const removeLogs = (sql: Sql, before: Date) => removeAll(sql, 'logs', sql`date <= ${before}`)

/** Until then a second use is still recognised. */
export const removeAssertions = (sql: Sql, before: Date) =>
  removeAll(sql, 'client_assertions', sql`expires_at <= ${before}`)

export const removePushedRequests = (sql: Sql, before: Date) =>
  removeAll(sql, 'pushed_requests', sql`expires_at <= ${before}`)

export const removeProofs = (sql: Sql, before: Date) => removeAll(sql, 'dpop_proofs', sql`expires_at <= ${before}`)

export const removeExecutions = (sql: Sql, before: Date) =>
  removeAll(sql, 'action_executions', sql`created_at <= ${before}`)

/** Mail of a mailbox is neither delivered nor given up, and stays. */
export const removeMessages = (sql: Sql, before: { delivered: Date; givenUp: Date }) =>
  removeAll(
    sql,
    'messages',
    sql`delivered_at <= ${before.delivered}
        or (next_attempt_at is null and last_error is not null and created_at <= ${before.givenUp})`,
  )

/** Files of jobs: what is in them is in the users already, or was downloaded. */
export const removeJobFiles = (sql: Sql, before: Date) =>
  removeAll(
    sql,
    'job_files',
    sql`(environment_id, job_id) in (select environment_id, id from jobs where finished_at <= ${before})`,
  )

/** Jobs with what they refused, and uploads whose process is gone. */
export const removeJobs = (sql: Sql, before: { finished: Date; uploading: Date }) =>
  removeAll(
    sql,
    'jobs',
    sql`finished_at <= ${before.finished} or (status = 'uploading' and lease_until <= ${before.uploading})`,
  )
