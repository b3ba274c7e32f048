import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { grantApplication } from '@tenantry/kernel/database/application-role.ts'
import { connect, type DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { migrate } from '@tenantry/kernel/database/migrate.ts'
import { prepareServer } from '@tenantry/kernel/database/server.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Settings } from './settings.ts'

const migrations = fileURLToPath(new URL('../../identity/migrations', import.meta.url))

export interface OpenedDatabase {
  urls: DatabaseUrls
  close(): Promise<void>
}

/** The operator's server or the embedded one, migrated, with a role for run time that policies bind. */
export async function openDatabase(
  settings: Settings,
  { secret, logger, progress }: { secret: Uint8Array; logger: Logger; progress: (step: string) => void },
): Promise<OpenedDatabase> {
  const { databaseUrl, databaseApplicationUrl, dataDirectory } = settings
  if (databaseUrl) {
    const given = databaseApplicationUrl ? { applicationUrl: databaseApplicationUrl } : {}
    const { urls, role } = await prepareServer({ ownerUrl: databaseUrl, ...given, secret })
    await bringUpToDate(urls.owner, role, progress)
    return { urls, close: async () => {} }
  }
  const postgres = await startEmbedded({ directory: join(dataDirectory, 'postgres'), logger, progress })
  try {
    await bringUpToDate(postgres.urls.owner, 'tenantry_app', progress)
  } catch (error) {
    await postgres.stop()
    throw error
  }
  return { urls: postgres.urls, close: postgres.stop }
}

async function bringUpToDate(url: string, role: string, progress: (step: string) => void): Promise<void> {
  await migrate({ url, directory: migrations, progress: (name) => progress(`Applying migration ${name}`) })
  // Each time: a start that was killed between the two, or another role than last time, would be left without rights.
  const owner = connect(url, 1)
  try {
    await grantApplication(owner, role)
  } finally {
    await owner.end({ timeout: 5 })
  }
}
