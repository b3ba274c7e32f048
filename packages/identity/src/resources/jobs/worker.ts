/**
 * Runs the jobs of all environments. The rows of `jobs` are the truth; pg-boss and the database's announcement only wake
 * a worker, so a job that was announced to nobody is found within a minute.
 */
import { addSeconds } from '@tenantry/kernel/clock.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { PgBoss } from 'pg-boss'
import type { Outbox } from '../../delivery/outbox.ts'
import type { TenantLog } from '../../logs/tenant-log.ts'
import { runExport } from './exports/run.ts'
import { tellByMail } from './imports/completion-mail.ts'
import { runImport } from './imports/run.ts'
import { LEASE_SECONDS, LeaseLost, type Outcome, progressOf, type RunDependencies } from './lease.ts'
import * as store from './store.ts'

const QUEUE = 'jobs'
/** In this process: a long import must not keep everybody else waiting. */
const PARALLEL = 2
/** A job that ends every process that takes it must not go on for ever. */
const ATTEMPTS = 20

export interface WorkerDependencies extends RunDependencies {
  tenantLog: TenantLog
  outbox: Outbox
  logger: Logger
}

export interface Worker {
  /** Steps under way are finished first; what is left is given back. */
  stop(): Promise<void>
}

export async function startJobs(deps: WorkerDependencies & { boss: PgBoss }): Promise<Worker> {
  const { boss, database, logger } = deps
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  // Not awaited by the queue: its own patience ends after a quarter of an hour.
  const start = () => {
    while (running.size < PARALLEL && !stopping.signal.aborted) {
      const run = runDueJobs(deps, { signal: stopping.signal })
        .then(() => {})
        .catch((err: unknown) => logger.warn({ err }, 'a job was interrupted; it continues within a minute'))
        .finally(() => running.delete(run))
      running.add(run)
    }
  }
  await boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: 3600 })
  const worker = await boss.work(QUEUE, { pollingIntervalSeconds: 10 }, async () => start())
  await boss.schedule(QUEUE, '* * * * *')
  const wake = () => {
    boss
      .send(QUEUE)
      .then(() => boss.notifyWorker(worker))
      .catch((err: unknown) => logger.warn({ err }, 'the job worker could not be woken; the next minute wakes it'))
  }
  // Also runs when a lost connection is back: what was announced in between is unknown.
  const listening = await database.acrossEnvironments('hear of new jobs', (sql) =>
    sql.listen('tenantry_jobs', wake, wake),
  )
  return {
    stop: async () => {
      await listening.unlisten()
      stopping.abort()
      await boss.offWork(QUEUE, { wait: true })
      await Promise.all(running)
    },
  }
}

/**
 * Runs what is due until nothing is, or it is stopped.
 *
 * @param environmentId leaves all others to other workers
 * @returns how many jobs it ended
 */
export async function runDueJobs(
  deps: WorkerDependencies,
  { signal, environmentId }: { signal?: AbortSignal; environmentId?: string } = {},
): Promise<number> {
  const { database, clock, logger } = deps
  for (let ended = 0; ; ) {
    if (signal?.aborted) return ended
    const job = await database.acrossEnvironments('run jobs', (sql) =>
      store.claim(sql, clock.now(), addSeconds(clock.now(), LEASE_SECONDS), environmentId),
    )
    if (!job) return ended
    const { id, type, attempts, environment_id } = job
    try {
      const outcome = attempts > ATTEMPTS ? await giveUp(deps, job) : await run(deps, job, signal)
      if (outcome) {
        ended++
        logger.info({ job: id, environment: environment_id, type, ...outcome }, 'a job has ended')
        if (job.type === 'users_import') await tell(deps, job, outcome)
      } else await database.inEnvironment(environment_id, (tx) => store.giveBack(tx, job, clock.now()))
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error
      logger.warn({ job: id, type, attempts }, 'a job was taken over by another worker or removed')
    }
  }
}

const run = (deps: WorkerDependencies, job: store.QueuedJob, signal: AbortSignal | undefined) =>
  job.type === 'users_import' ? runImport(deps, job, signal) : runExport(deps, job, signal)

async function giveUp({ database, clock }: WorkerDependencies, job: store.JobRow): Promise<Outcome> {
  const status_details = `The job was started ${ATTEMPTS} times and did not end. The log says why.`
  await database.inEnvironment(job.environment_id, async (tx) => {
    await store.removeFile(tx, job.id)
    await store.finish(tx, job.id, { status: 'failed', status_details, now: clock.now() })
  })
  return { status: 'failed', progress: progressOf(job) }
}

/** One entry for the job; its rows are in its summary and errors. */
async function tell(deps: WorkerDependencies, job: store.ImportJob, outcome: Outcome): Promise<void> {
  const { status, progress } = outcome
  const { inserted, updated, failed, done } = progress
  if (job.settings.notify) {
    await deps.database.inEnvironment(job.environment_id, (tx) => tellByMail(deps.outbox, tx, job, outcome))
  }
  return deps.tenantLog.record(job.environment_id, {
    type: status === 'completed' ? 'sui' : 'fui',
    connection_id: job.connection_id,
    details: { job_id: job.id, external_id: job.external_id, summary: { inserted, updated, failed, total: done } },
  })
}
