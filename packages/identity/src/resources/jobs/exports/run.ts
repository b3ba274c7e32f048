/**
 * Runs an export. Each step reads the users after the last one, and stores them as a piece of the file together with how
 * far it came. A piece is a gzip member of its own; one after the other they are one gzip file (RFC 1952 §2.2), so a
 * compressor's state need not survive a process.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { shown } from '../../users/rules.ts'
import { sealPiece } from '../files.ts'
import { type Outcome, progressOf, type RunDependencies, step } from '../lease.ts'
import { linkHandle } from '../rules.ts'
import * as jobs from '../store.ts'
import { fieldsOf } from './fields.ts'
import { csv, ndjson } from './format.ts'
import * as store from './store.ts'

/** Users of a step: with all metadata at its limit they are some ten megabytes. */
const STEP_USERS = 200

/** @returns undefined when it was stopped; the job is then given back. @throws LeaseLost */
export async function runExport(
  deps: RunDependencies,
  job: jobs.ExportJob,
  signal?: AbortSignal,
): Promise<Outcome | undefined> {
  const { database, secrets, clock } = deps
  const { format, limit } = job.settings
  const fields = fieldsOf(job.settings)
  const most = limit ?? Number.POSITIVE_INFINITY
  let progress = progressOf(job)
  let sequence = await database.inEnvironment(job.environment_id, (tx) => jobs.countPieces(tx, job.id))
  if (progress.total === null) {
    progress = await step(deps, job, async (tx) => {
      const total = Math.min(most, await store.countUsers(tx, job.connection_id))
      await jobs.saveProgress(tx, job.id, { ...progress, total })
      return { ...progress, total }
    })
  }
  for (;;) {
    const wanted = Math.min(STEP_USERS, most - progress.done)
    const rows = await database.inEnvironment(job.environment_id, (tx) =>
      store.usersAfter(tx, job.connection_id, progress.cursor ?? '', wanted),
    )
    const users = rows.map(shown)
    const text = format === 'csv' ? csv(users, fields, sequence === 0) : ndjson(users, fields)
    const done = progress.done + rows.length
    const last = rows.length < wanted || done >= most
    const piece = sealPiece(secrets, job, sequence, await promisify(gzip)(text))
    const after = { ...progress, cursor: rows.at(-1)?.user_id ?? progress.cursor, done }
    await step(deps, job, async (tx) => {
      await jobs.insertPiece(tx, job.environment_id, job.id, sequence, piece)
      await jobs.saveProgress(tx, job.id, after)
      if (!last) return
      const link_hash = hashHandle(linkHandle(secrets, job))
      await jobs.finish(tx, job.id, { status: 'completed', link_hash, now: clock.now() })
    })
    progress = after
    sequence++
    if (last) return { status: 'completed', progress }
    if (signal?.aborted) return undefined
  }
}
