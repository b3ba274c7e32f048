/**
 * Runs an import. The file is read twice: first to the end without writing anything, so that a file that breaks off
 * imports nobody and progress is known; then in steps, each of which commits its users, its refusals and where it stands
 * in the file together. A process may die at any moment: the next one continues at the last step that was committed.
 */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { isImported } from '../../../upstream/database/imported-hash.ts'
import * as connections from '../../connections/store.ts'
import { comparableEmail } from '../../email-address.ts'
import { readFrom } from '../files.ts'
import { LeaseLost, type Outcome, progressOf, type RunDependencies, renewal, step } from '../lease.ts'
import * as jobs from '../store.ts'
import { BrokenFile, type FileRow, parseRow, rowsOf } from './rows.ts'
import { type Accepted, readRow, redacted, rowError } from './rules.ts'
import * as store from './store.ts'

/** Rows of a step: enough that a commit costs little beside them, few enough to be repeated without regret. */
const STEP_ROWS = 500
const STEP_BYTES = 4 * 1024 * 1024

/** @returns undefined when it was stopped; the job is then given back. @throws LeaseLost */
export async function runImport(
  deps: RunDependencies,
  job: jobs.ImportJob,
  signal?: AbortSignal,
): Promise<Outcome | undefined> {
  const connection = await deps.database.inEnvironment(job.environment_id, (tx) =>
    connections.find(tx, job.connection_id ?? ''),
  )
  if (!connection) throw new LeaseLost()
  let progress: jobs.Progress = job
  if (progress.total === null) {
    const surveyed = await survey(deps, job, signal)
    if (!surveyed || 'broken' in surveyed) return surveyed && finish(deps, job, surveyed.broken)
    progress = { ...progress, total: surveyed.total }
    await step(deps, job, (tx) => jobs.saveProgress(tx, job.id, progressOf(progress)))
  }
  if (progress.total === 0) return finish(deps, job)
  try {
    return await importRows(deps, job, connection, progress, signal)
  } catch (error) {
    // It was whole when it was surveyed. A file goes with its job: whoever still reads finds an end in the middle.
    if (error instanceof BrokenFile) await step(deps, job, async () => {})
    throw error
  }
}

async function importRows(
  deps: RunDependencies,
  job: jobs.ImportJob,
  connection: connections.ConnectionRow,
  surveyed: jobs.Progress,
  signal: AbortSignal | undefined,
): Promise<Outcome | undefined> {
  const { clock } = deps
  let progress = surveyed
  let offset = Number(progress.cursor ?? 0)
  let rows: { row: FileRow; position: number }[] = []
  let bytes = 0
  let position = progress.done
  for await (const row of rowsOf(readFrom(deps, job, offset), offset)) {
    rows.push({ row, position: position++ })
    bytes += row.bytes?.length ?? 0
    if (row.next !== undefined && rows.length < STEP_ROWS && bytes < STEP_BYTES) continue
    const read = rows.map(({ row, position }) => readRow(row.bytes, position, connection, clock.now()))
    const next = row.next
    progress = await step(deps, job, async (tx) => {
      const counts = await write(tx, job, read, clock.now())
      const after: jobs.Progress = {
        cursor: next === undefined ? null : String(next),
        done: progress.done + read.length,
        total: progress.total,
        inserted: progress.inserted + counts.inserted,
        updated: progress.updated + counts.updated,
        failed: progress.failed + counts.failed,
      }
      await jobs.saveProgress(tx, job.id, after)
      if (next === undefined) await end(tx, job, clock.now())
      return after
    })
    if (next === undefined) return { status: 'completed', progress }
    offset = next
    ;[rows, bytes] = [[], 0]
    if (signal?.aborted) return undefined
  }
  throw new BrokenFile('The file of the import has changed.')
}

async function survey(deps: RunDependencies, job: jobs.ImportJob, signal: AbortSignal | undefined) {
  let total = 0
  const renew = renewal(deps, job)
  try {
    for await (const { bytes } of rowsOf(readFrom(deps, job, 0))) {
      total++
      if (bytes) refuseBroken(bytes)
      if (total % STEP_ROWS > 0) continue
      await renew()
      if (signal?.aborted) return undefined
    }
  } catch (error) {
    if (error instanceof BrokenFile) return { broken: `Row ${total}: ${error.message}` }
    throw error
  }
  return { total }
}

function refuseBroken(bytes: Buffer): void {
  try {
    parseRow(bytes)
  } catch (error) {
    if (error instanceof BrokenFile) throw error
    // Any other refusal is that row's alone.
  }
}

async function finish(deps: RunDependencies, job: jobs.ImportJob, broken?: string): Promise<Outcome> {
  await step(deps, job, (tx) => end(tx, job, deps.clock.now(), broken))
  return { status: broken === undefined ? 'completed' : 'failed', progress: progressOf(job) }
}

/** The file goes with the last row: it holds the hashes of everybody in it. */
async function end(tx: Tx, job: jobs.JobRow, now: Date, broken?: string): Promise<void> {
  await jobs.removeFile(tx, job.id)
  await store.forgetNoticed(tx, job.id)
  const status = broken === undefined ? 'completed' : 'failed'
  await jobs.finish(tx, job.id, { status, now, ...(broken === undefined ? {} : { status_details: broken }) })
}

async function write(tx: Tx, job: jobs.ImportJob, read: (Accepted | jobs.ErrorRow)[], now: Date) {
  const errors = read.filter((row) => 'errors' in row)
  const refuse = (row: Accepted, code: string, path: string, message: string) =>
    errors.push({ position: row.position, person: redacted(row.given), errors: [rowError(code, path, message)] })

  const accepted = read.filter((row) => 'user' in row)
  const fresh = await store.notice(tx, job.environment_id, job.id, [...new Set(accepted.flatMap(({ keys }) => keys))])
  const first: Accepted[] = []
  for (const row of accepted) {
    if (row.keys.every((key) => fresh.has(key))) first.push(row)
    else refuse(row, 'DUPLICATED_USER', 'email', 'The file holds this user more than once.')
    for (const key of row.keys) fresh.delete(key)
  }

  const users = first.map(({ user }) => user)
  const inserted = await store.insertNew(tx, job.environment_id, job.connection_id!, users)
  const known = first.filter(({ user }) => !inserted.has(user.user_id))
  const found =
    known.length === 0
      ? []
      : await store.lockByEmail(
          tx,
          job.connection_id!,
          known.map(({ given }) => comparableEmail(given.email)),
        )
  const byEmail = new Map(found.map((row) => [row.email, row]))
  const changes: store.Change[] = []
  for (const row of known) {
    const existing = byEmail.get(comparableEmail(row.given.email))
    if (!existing) refuse(row, 'CONFLICT', 'user_id', 'Another user has this user_id or username.')
    else if (!existing.is_primary) refuse(row, 'CONFLICT_EMAIL', 'email', 'The address is linked to another user.')
    else if (!job.settings.upsert) refuse(row, 'CONFLICT_EMAIL', 'email', 'A user with this e-mail address exists.')
    else if (row.given.user_id !== undefined && row.user.user_id !== existing.user_id) {
      refuse(row, 'CONFLICT', 'user_id', 'The user with this e-mail address has another user_id.')
    } else changes.push(changeOf(row, existing))
  }
  await store.update(tx, changes, now)
  await jobs.insertErrors(tx, job.environment_id, job.id, errors)
  return { inserted: inserted.size, updated: changes.length, failed: errors.length }
}

/** What Auth0 lets an import change. A hash is replaced only as long as nobody has signed in with it. */
function changeOf({ given, user }: Accepted, existing: store.Existing): store.Change {
  const unused = existing.password_hash === null || isImported(existing.password_hash)
  const { email_verified, name, nickname, given_name, family_name, picture } = given
  return {
    user_id: existing.user_id,
    email_verified,
    name,
    nickname,
    given_name,
    family_name,
    picture,
    ...(given.user_metadata ? { user_metadata: user.user_metadata } : {}),
    ...(given.app_metadata ? { app_metadata: user.app_metadata } : {}),
    ...(given.custom_password_hash && unused ? { password_hash: user.password_hash! } : {}),
  }
}
