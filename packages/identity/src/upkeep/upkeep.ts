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
    // A day longer than they live: a code that comes a second time still finds its grant and ends it.
    codes: await store.removeCodes(sql, addSeconds(now, -DAY)),
    refresh_tokens: await store.removeRefreshTokens(sql, addSeconds(now, -DAY)),
    // After what points at them.
    grants: await store.removeGrants(sql, addSeconds(now, -DAY)),
    sessions: await store.removeSessions(sql, now),
    tickets: await store.removeTickets(sql, now),
    login_failures: await store.removeFailures(sql, now),
    client_assertions: await store.removeAssertions(sql, now),
    action_executions: await store.removeExecutions(sql, addSeconds(now, -7 * DAY)),
    messages: await store.removeMessages(sql, {
      delivered: addSeconds(now, -7 * DAY),
      givenUp: addSeconds(now, -30 * DAY),
    }),
    logs: await store.removeLogs(sql, addSeconds(now, -30 * DAY)),
    job_files: await store.removeJobFiles(sql, addSeconds(now, -DAY)),
    jobs: await store.removeJobs(sql, { finished: addSeconds(now, -30 * DAY), uploading: now }),
  }))
}
