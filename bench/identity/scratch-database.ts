/** An embedded PostgreSQL of a measurement's own, in a directory that goes when it stops. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { bringUpToDate } from '@tenantry/kernel/database/migrate.ts'
import { schemas } from '../../packages/cli/src/schemas.ts'

export interface ScratchDatabase {
  urls: DatabaseUrls
  directory: string
  stop(): Promise<void>
}

export async function openScratchDatabase(options: { transport?: 'tcp' } = {}): Promise<ScratchDatabase> {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'))
  chmodSync(directory, 0o711)
  const postgres = await startEmbedded({ directory, ...options })
  await bringUpToDate(postgres.urls.owner, 'tenantry_app', schemas)
  return {
    urls: postgres.urls,
    directory,
    async stop() {
      await postgres.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
