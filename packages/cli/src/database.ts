import { join } from 'node:path'
import type { DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { bringUpToDate } from '@tenantry/kernel/database/migrate.ts'
import { prepareServer } from '@tenantry/kernel/database/server.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { schemas } from './schemas.ts'
import type { Settings } from './settings.ts'

export interface OpenedDatabase {
  urls: DatabaseUrls
  close(): Promise<void>
}

/** The operator's server or the embedded one, migrated, with a role for run time that policies bind. */
export async function openDatabase(
  settings: Settings,
  { secret, logger, progress }: { secret: Uint8Array; logger: Logger; progress: (step: string) => void },
): Promise<OpenedDatabase> {
  const applying = (name: string) => progress(`Applying migration ${name}`)
  const { databaseUrl, databaseApplicationUrl, dataDirectory } = settings
  if (databaseUrl) {
    const given = databaseApplicationUrl ? { applicationUrl: databaseApplicationUrl } : {}
    const { urls, role } = await prepareServer({ ownerUrl: databaseUrl, ...given, secret })
    await bringUpToDate(urls.owner, role, schemas, applying)
    return { urls, close: async () => {} }
  }
  const postgres = await startEmbedded({ directory: join(dataDirectory, 'postgres'), logger, progress })
  try {
    await bringUpToDate(postgres.urls.owner, 'tenantry_app', schemas, applying)
  } catch (error) {
    await postgres.stop()
    throw error
  }
  return { urls: postgres.urls, close: postgres.stop }
}
