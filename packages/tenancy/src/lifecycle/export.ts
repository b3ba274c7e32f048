/**
 * All that a tenant has, in an open format: a file of JSON Lines for each table and a manifest with the count and SHA-256 of
 * each, as of one snapshot. The manifest is written last: an export without one is not whole.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { begin, rollback } from '../placement/end.ts'
import { asOwner, type OwnerOptions } from '../placement/owner.ts'
import type { Placement } from '../placement/placement.ts'
import { quoted } from '../postgres/quoted.ts'

/** Where an export goes. */
export interface ExportSink {
  /** A new file of this name; one that is there is replaced. */
  open(name: string): Promise<Writable>
  /** All files are written, the manifest last; what makes one archive of them ends it here. */
  close?(): Promise<void>
  /** Takes everything away that `open` has made. */
  remove(): Promise<void>
}

export interface ExportManifest {
  tenantId: string
  /** When the snapshot was taken, by the database's clock, ISO 8601. */
  takenAt: string
  format: 'jsonl'
  tables: { table: string; file: string; columns: string[]; rows: number; sha256: string }[]
}

/** An export as a directory, which is made if it is missing. */
export const directorySink = (directory: string): ExportSink => ({
  async open(name) {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return createWriteStream(join(directory, name), { mode: 0o600 })
  },
  remove: () => rm(directory, { recursive: true, force: true }),
})

/**
 * Streams every table of the tenant into the sink; memory does not grow with the tenant. Numbers of any length, times (UTC) and
 * binary values (`\x…`) stand as PostgreSQL writes them in JSON.
 *
 * @example
 * const sink = directorySink(`${directory}/blue-kite`)
 * const { tables } = await exportTenant({ openOwner, schema: 'public' }, tenantId, { model: 'pool' }, sink)
 * tables // → [{ table: 'items', file: 'items.jsonl', columns: ['tenant_id', 'id', 'name'], rows: 2, sha256: '…' }]
 */
export async function exportTenant(
  options: OwnerOptions,
  tenantId: string,
  placement: Placement,
  sink: ExportSink,
): Promise<ExportManifest> {
  return asOwner(options, tenantId, placement, async (end, relations) => {
    await begin(end, 'repeatable read')
    const [now] = await end.sql<{ at: Date }[]>`select now() as at`
    const manifest: ExportManifest = { tenantId, takenAt: now!.at.toISOString(), format: 'jsonl', tables: [] }
    for (const { name, columns, key } of relations) {
      const file = `${encodeURIComponent(name)}.jsonl`
      const order = key.length > 0 ? ` order by ${key.map(quoted).join(', ')}` : ''
      const rows = end.sql
        .unsafe<{ line: string }[]>(
          `select row_to_json(t)::text as line from ${quoted(end.schema)}.${quoted(name)} t${order}`,
        )
        .cursor(500)
      manifest.tables.push({ table: name, file, columns, ...(await write(await sink.open(file), rows)) })
    }
    await rollback(end)
    await write(await sink.open('manifest.json'), [[{ line: JSON.stringify(manifest, null, 2) }]])
    await sink.close?.()
    return manifest
  })
}

async function write(
  to: Writable,
  batches: AsyncIterable<{ line: string }[]> | Iterable<{ line: string }[]>,
): Promise<{ rows: number; sha256: string }> {
  const hash = createHash('sha256')
  let rows = 0
  for await (const batch of batches) {
    const text = batch.map(({ line }) => `${line}\n`).join('')
    hash.update(text)
    rows += batch.length
    if (!to.write(text)) await once(to, 'drain')
  }
  to.end()
  await finished(to)
  return { rows, sha256: hash.digest('hex') }
}
