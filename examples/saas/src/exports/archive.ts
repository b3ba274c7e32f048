/**
 * Where exports are kept: each as one ZIP archive, written while it is made, in parts. Whoever writes has no connection that could
 * see another tenant's: parts are rows of the tenant, like its items.
 */
import { PassThrough, type Writable } from 'node:stream'
import { backgroundIdentity, type ExportSink, type TenantDatabase, type Tx, withIdentity } from '@tenantry/tenancy'
import yazl from 'yazl'
import * as store from './store.ts'

/** In base64, as a function answers, just below 6 MB. */
const PART_BYTES = 4 * 1024 * 1024

/** Work on a tenant's exports that no caller waits for. */
const asTenant = <T>(database: TenantDatabase, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'export' }), () => database.inTenant(work))

export function archiveSink(
  database: TenantDatabase,
  { tenantId, exportId }: { tenantId: string; exportId: string },
): ExportSink {
  const zip = new yazl.ZipFile()
  let current: Writable | undefined
  let written: Promise<void> | undefined
  const remove = async () => void (await asTenant(database, tenantId, (tx) => store.remove(tx, exportId)))

  async function write(): Promise<void> {
    let position = 0
    for await (const content of inParts(zip.outputStream as AsyncIterable<Buffer>)) {
      const part = { tenantId, exportId, position: position++, content }
      await asTenant(database, tenantId, (tx) => store.insert(tx, part))
    }
  }
  return {
    async open(name) {
      if (!written) {
        // A try before this one may have got somewhere.
        await remove()
        written = write()
        // Nobody reads any more, so whoever writes would wait for ever.
        written.catch((error: Error) => current?.destroy(error))
      }
      const file = new PassThrough()
      current = file
      zip.addReadStream(file, name)
      return file
    },
    async close() {
      zip.end()
      await written
    },
    remove,
  }
}

async function* inParts(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    held.push(chunk)
    bytes += chunk.length
    while (bytes >= PART_BYTES) {
      const all = Buffer.concat(held)
      yield all.subarray(0, PART_BYTES)
      held = [all.subarray(PART_BYTES)]
      bytes = held[0]!.length
    }
  }
  if (bytes > 0) yield Buffer.concat(held)
}

/** All of a tenant's, when it goes. @returns how many there were */
export const removeArchives = (database: TenantDatabase, tenantId: string): Promise<number> =>
  asTenant(database, tenantId, (tx) => store.remove(tx))
