import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ExportSettings } from './schema.ts'
import type { JobRow } from './store.ts'

export const problems = defineProblems({
  inexistent_job: { status: 404, title: 'The job does not exist.' },
  inexistent_export: { status: 404, title: 'The export does not exist, or its link has expired.' },
  unknown_connection: { status: 400, title: 'The connection does not exist.' },
  not_a_database: { status: 400, title: 'Users are imported into database connections only; this one is no database.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
  payload_too_large: { status: 413, title: 'The file is larger than {bytes} bytes. Split it into several jobs.' },
  upload_expired: { status: 400, title: 'The upload took too long. Send the file again.' },
  too_many_jobs: {
    status: 429,
    title: 'There are 2 active {what} jobs, please wait until some of them are finished and try again',
  },
})

/** How long a finished export can be downloaded; its file is removed afterwards. */
export const FILE_SECONDS = 86_400

/**
 * What a finished export is downloaded by. Made from the master key instead of drawn, so that it can be shown each time
 * a caller asks for the job although only its hash is stored.
 */
export const linkHandle = (secrets: Secrets, job: Pick<JobRow, 'environment_id' | 'id'>): string =>
  secrets.authenticate('export-links', `${job.environment_id}/${job.id}`).toString('base64url')

/** A job as the API shows it. `location` is there only for whoever may read users. */
export function shown(job: JobRow, clock: Clock, location: string | undefined) {
  const { id, type, status, created_at, done, total, started_at, finished_at } = job
  const now = clock.now()
  const running = status === 'processing' && total !== null
  const elapsed = started_at ? (now.getTime() - started_at.getTime()) / 1000 : 0
  const downloadable =
    job.type === 'users_export' &&
    status === 'completed' &&
    finished_at !== null &&
    now < addSeconds(finished_at, FILE_SECONDS)
  return {
    status,
    type,
    created_at,
    id,
    ...(job.connection_id === null ? {} : { connection_id: job.connection_id }),
    ...(job.external_id === null ? {} : { external_id: job.external_id }),
    ...(job.type === 'users_import' ? { upsert: job.settings.upsert } : {}),
    ...(job.type === 'users_export' ? settingsOf(job.settings) : {}),
    ...(running ? { percentage_done: total === 0 ? 100 : Math.min(100, Math.floor((100 * done) / total)) } : {}),
    ...(running && done > 0 ? { time_left_seconds: Math.max(0, Math.ceil((elapsed / done) * (total - done))) } : {}),
    ...(status === 'completed' ? { percentage_done: 100, time_left_seconds: 0 } : {}),
    ...(downloadable && location ? { location } : {}),
    ...(job.type === 'users_import' && finished_at
      ? { summary: { failed: job.failed, updated: job.updated, inserted: job.inserted, total: done } }
      : {}),
    ...(job.status_details === null ? {} : { status_details: job.status_details }),
  }
}

/** What was asked of an export, without what was not. */
const settingsOf = ({ format, limit, fields }: ExportSettings) => ({
  format,
  ...(limit === null ? {} : { limit }),
  ...(fields === null ? {} : { fields }),
})
