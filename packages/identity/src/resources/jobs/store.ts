import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue, Sql } from 'postgres'
import { violates } from '../constraint.ts'
import { problems } from './rules.ts'
import type { ExportSettings } from './schema.ts'

export interface ImportSettings {
  upsert: boolean
  /** Whether a mail says when it has ended. */
  notify: boolean
}

interface Base {
  environment_id: string
  id: string
  status: 'uploading' | 'pending' | 'processing' | 'completed' | 'failed'
  connection_id: string | null
  external_id: string | null
  cursor: string | null
  done: number
  total: number | null
  inserted: number
  updated: number
  failed: number
  status_details: string | null
  attempts: number
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}
export type ImportJob = Base & { type: 'users_import'; settings: ImportSettings }
export type ExportJob = Base & { type: 'users_export'; settings: ExportSettings }
/** Written when it is done. */
export type VerificationJob = Base & { type: 'verification_email' }
/** What a worker takes. */
export type QueuedJob = ImportJob | ExportJob
export type JobRow = QueuedJob | VerificationJob

const columns = (sql: Sql | Tx) => sql`
  environment_id, id, type, status, connection_id, external_id, settings, cursor, done, total, inserted, updated, failed,
  status_details, attempts, created_at, started_at, finished_at`

export interface NewJob {
  id: string
  type: 'users_import' | 'users_export'
  status: 'uploading' | 'pending'
  connection_id: string | null
  settings: ImportSettings | ExportSettings
  created_at: Date
  lease_until: Date
}

/** Uploads whose process has died hold no place. */
export const removeAbandoned = (tx: Tx, now: Date) => tx`
  delete from jobs where status = 'uploading' and lease_until <= ${now}`

/** Takes one of the places that jobs of a type have. @returns whether there was one. @throws Problem `unknown_connection` */
export async function insert(tx: Tx, environmentId: string, job: NewJob): Promise<boolean> {
  for (const slot of [1, 2]) {
    const taken = await tx`
      insert into jobs ${tx({ ...job, settings: tx.json(job.settings as unknown as JSONValue), environment_id: environmentId, slot })}
      on conflict (environment_id, type, slot) where slot is not null do nothing`.catch(
      violates('jobs_environment_id_connection_id_fkey', problems.unknown_connection),
    )
    if (taken.count > 0) return true
  }
  return false
}

/** A job that was done within the request that asked for it. */
export const insertFinished = (tx: Tx, environmentId: string, id: string, now: Date) => tx`
  insert into jobs (environment_id, id, type, status, lease_until, created_at, started_at, finished_at)
  values (${environmentId}, ${id}, 'verification_email', 'completed', ${now}, ${now}, ${now}, ${now})`

export const renewUpload = (tx: Tx, id: string, until: Date) => tx`
  update jobs set lease_until = ${until} where id = ${id} and status = 'uploading'`

/** The file has arrived: from now on the job exists, and is due. */
export async function release(
  tx: Tx,
  id: string,
  given: { connection_id: string; external_id: string | null; settings: ImportSettings; now: Date },
): Promise<JobRow | undefined> {
  const { now, settings, ...rest } = given
  const [row] = await tx<JobRow[]>`
    update jobs set ${tx({ ...rest, settings: tx.json({ ...settings }), status: 'pending', created_at: now, lease_until: now })}
    where id = ${id} and status = 'uploading' returning ${columns(tx)}`.catch(
    violates('jobs_environment_id_connection_id_fkey', problems.unknown_connection),
  )
  return row
}

export const remove = (tx: Tx, id: string) => tx`delete from jobs where id = ${id}`

/** @throws Problem `inexistent_job` */
export async function get(tx: Tx, id: string): Promise<JobRow> {
  const [row] = await tx<JobRow[]>`select ${columns(tx)} from jobs where id = ${id} and status <> 'uploading'`
  if (!row) throw problems.inexistent_job()
  return row
}

export async function findByLink(tx: Tx, hash: Buffer): Promise<JobRow | undefined> {
  const [row] = await tx<JobRow[]>`select ${columns(tx)} from jobs where link_hash = ${hash} and status = 'completed'`
  return row
}

/** Takes one job that is due, of any environment or of one. A lease that ran out belongs to a process that is gone. */
export async function claim(sql: Sql, now: Date, until: Date, environmentId?: string): Promise<QueuedJob | undefined> {
  const [row] = await sql<QueuedJob[]>`
    update jobs set status = 'processing', attempts = attempts + 1, lease_until = ${until},
      started_at = coalesce(started_at, ${now})
    where (environment_id, id) = (
      select environment_id, id from jobs
      where status in ('pending', 'processing') and lease_until <= ${now}
        ${environmentId === undefined ? sql`` : sql`and environment_id = ${environmentId}`}
      order by lease_until limit 1 for update skip locked)
    returning ${columns(sql)}`
  return row
}

/**
 * Locks the job for a step. @returns false when it is another worker's by now, or gone: then nothing may be written.
 *
 * The connection comes first, as it does when it is deleted with its users and jobs: the other way round each would wait
 * for the other.
 */
export async function hold(
  tx: Tx,
  job: Pick<JobRow, 'id' | 'attempts' | 'connection_id'>,
  until: Date,
): Promise<boolean> {
  await tx`select from connections where id = ${job.connection_id} for key share`
  const held = await tx`
    update jobs set lease_until = ${until}
    where id = ${job.id} and attempts = ${job.attempts} and status = 'processing'`
  return held.count > 0
}

export interface Progress {
  cursor: string | null
  done: number
  total: number | null
  inserted: number
  updated: number
  failed: number
}

export const saveProgress = (tx: Tx, id: string, progress: Progress) => tx`
  update jobs set ${tx(progress as unknown as Record<string, string | number | null>)} where id = ${id}`

export const finish = (
  tx: Tx,
  id: string,
  end: { status: 'completed' | 'failed'; status_details?: string; link_hash?: Buffer; now: Date },
) => tx`
  update jobs set status = ${end.status}, status_details = ${end.status_details ?? null},
    link_hash = ${end.link_hash ?? null}, slot = null, finished_at = ${end.now}
  where id = ${id}`

/** Lets another worker take it at once, where this one stops. */
export const giveBack = (tx: Tx, job: Pick<JobRow, 'id' | 'attempts'>, now: Date) => tx`
  update jobs set lease_until = ${now}, status = 'pending'
  where id = ${job.id} and attempts = ${job.attempts} and status = 'processing'`

// Files ---------------------------------------------------------------------------------------------------------------

export const insertPiece = (tx: Tx, environmentId: string, jobId: string, sequence: number, bytes: Buffer) => tx`
  insert into job_files ${tx({ environment_id: environmentId, job_id: jobId, sequence, bytes })}`

export async function readPiece(tx: Tx, jobId: string, sequence: number): Promise<Uint8Array | undefined> {
  const [row] = await tx<{ bytes: Uint8Array }[]>`
    select bytes from job_files where job_id = ${jobId} and sequence = ${sequence}`
  return row?.bytes
}

export async function countPieces(tx: Tx, jobId: string): Promise<number> {
  const [row] = await tx<{ pieces: number }[]>`
    select coalesce(max(sequence) + 1, 0)::int as pieces from job_files where job_id = ${jobId}`
  return row!.pieces
}

export const removeFile = (tx: Tx, jobId: string) => tx`delete from job_files where job_id = ${jobId}`

// Refused rows --------------------------------------------------------------------------------------------------------

export interface RowError {
  code: string
  message: string
  path: string
}

export interface ErrorRow {
  position: number
  person: Record<string, unknown>
  errors: RowError[]
}

export async function insertErrors(tx: Tx, environmentId: string, jobId: string, rows: ErrorRow[]): Promise<void> {
  if (rows.length === 0) return
  const values = rows.map(({ position, person, errors }) => ({
    environment_id: environmentId,
    job_id: jobId,
    position,
    person: tx.json(person as JSONValue),
    errors: tx.json(errors as unknown as JSONValue),
  }))
  await tx`insert into job_errors ${tx(values)}`
}

export const listErrors = (tx: Tx, jobId: string, after: number, limit: number) => tx<ErrorRow[]>`
  select position, person, errors from job_errors where job_id = ${jobId} and position > ${after}
  order by position limit ${limit}`
