/**
 * The mail that says that an import has ended, to the environment's `support_email`. There are no other addresses of
 * administrators here: without that setting nobody is told, and the job itself says the same.
 */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Outbox } from '../../../delivery/outbox.ts'
import type { Outcome } from '../lease.ts'
import type { ImportJob } from '../store.ts'
import * as store from './store.ts'

export async function tellByMail(outbox: Outbox, tx: Tx, job: ImportJob, { status, progress }: Outcome): Promise<void> {
  const recipient = await store.supportEmail(tx)
  if (recipient === undefined) return
  const { inserted, updated, failed } = progress
  const heading = status === 'completed' ? 'The import of users has ended' : 'The import of users has failed'
  const counts = `${inserted} new, ${updated} changed, ${failed} refused.`
  const where = `The reasons for what was refused are at /api/v2/jobs/${job.id}/errors.`
  await outbox.add(tx, job.environment_id, {
    recipient,
    template: 'users_import',
    subject: heading,
    html: `<h1>${heading}</h1><p>${counts}</p><p>${where}</p>`,
    text: `${heading}\n\n${counts}\n${where}\n`,
  })
}
