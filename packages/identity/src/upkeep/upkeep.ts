/** Removes what has expired, every ten minutes. Nothing here decides validity: an expired row is worthless already. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { PgBoss } from 'pg-boss'
import * as store from './store.ts'

const QUEUE = 'upkeep'
const DAY = 86_400

export interface UpkeepDependencies {
  database: Database
  clock: Clock
}

export async function startUpkeep(deps: UpkeepDependencies & { boss: PgBoss; logger: Logger }): Promise<void> {
  await deps.boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: DAY })
  await deps.boss.work(QUEUE, { pollingIntervalSeconds: 30 }, async () => {
    deps.logger.info({ removed: await tidy(deps) }, 'removed what has expired')
  })
  await deps.boss.schedule(QUEUE, '*/10 * * * *')
}

/** @returns how many rows went, by table */
export async function tidy({ database, clock }: UpkeepDependencies): Promise<Record<string, number>> {
  const now = clock.now()
  return database.acrossEnvironments('remove what has expired', async (sql) => ({
    login_transactions: await store.removeTransactions(sql, now),
    webauthn_challenges: await store.removeChallenges(sql, now),
    passkey_postponements: await store.removePostponements(sql, now),
    // A day longer than they live: a code that comes a second time still finds its grant and ends it.
    codes: await store.removeCodes(sql, addSeconds(now, -DAY)),
    refresh_tokens: await store.removeRefreshTokens(sql, addSeconds(now, -DAY)),
    passwordless_codes: await store.removePasswordlessCodes(sql, now),
    mfa_tokens: await store.removeMfaTokens(sql, addSeconds(now, -DAY)),
    login_tickets: await store.removeLoginTickets(sql, now),
    device_codes: await store.removeDeviceCodes(sql, now),
    // After what points at them.
    grants: await store.removeGrants(sql, addSeconds(now, -DAY)),
    sessions: await store.removeSessions(sql, now),
    tickets: await store.removeTickets(sql, now),
    enrolment_tickets: await store.removeEnrolmentTickets(sql, now),
    factor_challenges: await store.removeFactorChallenges(sql, now),
    factor_tries: await store.removeFactorTries(sql, now),
    remembered_browsers: await store.removeRememberedBrowsers(sql, now),
    authentication_methods: await store.removeBegunMethods(sql, addSeconds(now, -DAY)),
    login_failures: await store.removeFailures(sql, now),
    client_assertions: await store.removeAssertions(sql, now),
    pushed_requests: await store.removePushedRequests(sql, now),
    dpop_proofs: await store.removeProofs(sql, now),
    action_executions: await store.removeExecutions(sql, addSeconds(now, -7 * DAY)),
    messages: await store.removeMessages(sql, {
      delivered: addSeconds(now, -7 * DAY),
      givenUp: addSeconds(now, -30 * DAY),
    }),
    logs: await store.removeLogs(sql, addSeconds(now, -30 * DAY)),
    job_files: await store.removeJobFiles(sql, addSeconds(now, -DAY)),
    // A day longer than access tokens may live.
    deleted_organizations: await store.removeDeletedOrganizations(sql, addSeconds(now, -31 * DAY)),
    jobs: await store.removeJobs(sql, { finished: addSeconds(now, -30 * DAY), uploading: now }),
  }))
}
