/** Who may write for a job: the worker that took it last, as long as it renews its lease. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as store from './store.ts'

export interface RunDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
}

export interface Outcome {
  status: 'completed' | 'failed'
  progress: store.Progress
}

/** A step takes a second at most; a process that is gone is missed for as long. */
export const LEASE_SECONDS = 60

/** Another worker has the job, or it was removed with its connection. There is nothing to do but to stop. */
export class LeaseLost extends Error {}

/** Locks the job for the transaction. @throws LeaseLost */
async function hold({ clock }: RunDependencies, tx: Tx, job: store.JobRow): Promise<void> {
  if (!(await store.hold(tx, job, addSeconds(clock.now(), LEASE_SECONDS)))) throw new LeaseLost()
}

/** To be called often by work that commits nothing; writes when a third of the lease is over. */
export function renewal(deps: RunDependencies, job: store.JobRow): () => Promise<void> {
  let renewed = deps.clock.now().getTime()
  return async () => {
    const now = deps.clock.now().getTime()
    if (now - renewed < (LEASE_SECONDS * 1000) / 3) return
    renewed = now
    await deps.database.inEnvironment(job.environment_id, (tx) => hold(deps, tx, job))
  }
}

export const progressOf = ({ cursor, done, total, inserted, updated, failed }: store.Progress): store.Progress => ({
  cursor,
  done,
  total,
  inserted,
  updated,
  failed,
})

/** One transaction in which nobody else writes for this job. @throws LeaseLost */
export const step = <T>(deps: RunDependencies, job: store.JobRow, work: (tx: Tx) => Promise<T>): Promise<T> =>
  deps.database.inEnvironment(job.environment_id, async (tx) => {
    await hold(deps, tx, job)
    return work(tx)
  })
