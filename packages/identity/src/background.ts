/**
 * Work without a request: mail, log streams, telling applications of sign-outs, jobs of the Management API and the removal of what has expired.
 * Any number of processes may run it; pg-boss (in a schema of its own, `pgboss`) sees to it that a job runs in one of
 * them.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { PgBoss } from 'pg-boss'
import { createConfigurationCache } from './configuration-cache.ts'
import { startLogStreams } from './delivery/log-streams/worker.ts'
import { createOutbox, type MailSetting } from './delivery/outbox.ts'
import { startDelivery } from './delivery/worker.ts'
import { createKeyrings } from './keys/keyring.ts'
import { createTenantLog } from './logs/tenant-log.ts'
import { startBackchannelLogout } from './oauth/backchannel-logout/worker.ts'
import { startJobs } from './resources/jobs/worker.ts'
import { startKeyRotation } from './upkeep/key-rotation.ts'
import { startUpkeep } from './upkeep/upkeep.ts'

export interface BackgroundDependencies {
  /** Of the role that owns the schema: pg-boss makes and migrates its tables itself. */
  ownerUrl: string
  database: Database
  secrets: Secrets
  clock: Clock
  logger: Logger
  mail: MailSetting
  /** For what customers configure to be called. */
  egress: Egress
  /** After how many days a signing key gives way to the next one; never, unless given. */
  signingKeyDays?: number | undefined
}

export interface Background {
  /** Waits for work under way, at most ten seconds. */
  stop(): Promise<void>
}

export async function startBackground(deps: BackgroundDependencies): Promise<Background> {
  const { ownerUrl, database, secrets, clock, logger, mail, egress } = deps
  const boss = new PgBoss({ connectionString: ownerUrl, schema: 'pgboss', max: 3, application_name: 'tenantry-jobs' })
  boss.on('error', (err) => logger.warn({ err }, 'a background job failed; it runs again'))
  await boss.start()
  await startUpkeep({ boss, database, clock, logger })
  if (deps.signingKeyDays !== undefined) {
    await startKeyRotation({ boss, database, secrets, clock, logger }, deps.signingKeyDays)
  }
  const streams = await startLogStreams({ boss, database, secrets, clock, logger, egress })
  const tenantLog = createTenantLog({ database, clock, logger })
  const keyrings = createKeyrings({ database, secrets, cache: createConfigurationCache(database) })
  const logouts = await startBackchannelLogout({ boss, database, clock, logger, egress, keyrings, tenantLog })
  const outbox = createOutbox({ secrets, clock, mail })
  const jobs = await startJobs({ boss, database, secrets, clock, logger, tenantLog, outbox })
  // Also without a server of the installation: environments may have their own.
  const delivery = await startDelivery({ boss, database, secrets, clock, logger, egress, setting: mail })
  return {
    stop: async () => {
      await Promise.all([delivery.stop(), streams.stop(), logouts.stop(), jobs.stop()])
      await tenantLog.close()
      await boss.stop({ graceful: true, timeout: 10_000 })
    },
  }
}
