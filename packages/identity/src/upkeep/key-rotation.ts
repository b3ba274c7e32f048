/**
 * Signing keys on a schedule. The key that signs next was published when its predecessor began to sign, so every verifier
 * knows it before its first signature; a key that signed stays published until the last token it can have signed is over.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { PgBoss } from 'pg-boss'
import { makeSigningKey } from '../keys/signing-key.ts'
import * as keys from '../keys/store.ts'

const QUEUE = 'key-rotation'
const DAY = 86_400

/** No token lives longer: the most that an API, or a client's ID tokens, may be set to. */
const LONGEST_TOKEN = 30 * DAY
/** Verifiers keep the published keys for minutes; clocks differ by less. */
const KNOWN_BY_ALL = DAY

export interface KeyRotationDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
}

/** @param days after which a key has signed long enough */
export async function startKeyRotation(
  deps: KeyRotationDependencies & { boss: PgBoss; logger: Logger },
  days: number,
): Promise<void> {
  await deps.boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: DAY })
  await deps.boss.work(QUEUE, { pollingIntervalSeconds: 60 }, async () => {
    deps.logger.info(await rotateDueKeys(deps, days), 'looked after signing keys')
  })
  await deps.boss.schedule(QUEUE, '23 * * * *')
}

/**
 * Any number of processes may run it at once: each key is rotated, and each is retired, once.
 *
 * @param only one environment, instead of all
 */
export async function rotateDueKeys(
  { database, secrets, clock }: KeyRotationDependencies,
  days: number,
  only?: string,
): Promise<{ rotated: number; retired: number }> {
  const now = clock.now()
  const signingSince = addSeconds(now, -days * DAY)
  const publishedSince = addSeconds(now, -KNOWN_BY_ALL)
  const signedUntil = addSeconds(now, -LONGEST_TOKEN - KNOWN_BY_ALL)
  const { due, over } = await database.acrossEnvironments('find signing keys that are due', async (sql) => ({
    due: await keys.environmentsDue(sql, signingSince, publishedSince),
    over: await keys.environmentsWithOldKeys(sql, signedUntil),
  }))
  const asked = (environmentId: string) => only === undefined || environmentId === only
  let rotated = 0
  for (const environmentId of due.filter(asked)) {
    const fresh = await makeSigningKey({ secrets, clock }, environmentId, 'next')
    const current = await database.inEnvironment(environmentId, (tx) =>
      keys.rotate(tx, environmentId, fresh, now, signingSince),
    )
    if (current) rotated++
  }
  let retired = 0
  for (const environmentId of over.filter(asked)) {
    retired += await database.inEnvironment(environmentId, (tx) => keys.retire(tx, signedUntil, now))
  }
  return { rotated, retired }
}
