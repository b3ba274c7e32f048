/**
 * Delivers log streams over HTTP: in order, in batches, at least once. The stream's row is the truth; jobs only wake a
 * worker, when entries are written and every minute for what is due again.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { PgBoss } from 'pg-boss'
import { LOG_TYPES, type LogType } from '../../logs/log-types.ts'
import { deliveryOf, openSink } from './request.ts'
import * as store from './store.ts'

const QUEUE = 'log-streams'
const PARALLEL = 4
const BATCH = 100
const TIMEOUT_MS = 20_000
/** Longer than a request may take, so that nobody else sends the same batch meanwhile. */
const CLAIM_SECONDS = 60
/** A receiver that has been away for about a day is given up, and says so as `suspended`. */
const ATTEMPTS = 60

/** Two seconds, doubling up to half an hour. */
const pause = (attempts: number): number => Math.min(2 ** Math.min(attempts + 1, 11), 1800)

export interface LogStreamDependencies {
  boss: PgBoss
  database: Database
  secrets: Secrets
  clock: Clock
  logger: Logger
  egress: Egress
}

export async function startLogStreams(deps: LogStreamDependencies): Promise<{ stop(): Promise<void> }> {
  const { boss, database, logger } = deps
  await boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: 3600 })
  const worker = await boss.work(QUEUE, { pollingIntervalSeconds: 10 }, async () => {
    await Promise.all(Array.from({ length: PARALLEL }, () => deliverDue(deps)))
  })
  await boss.schedule(QUEUE, '* * * * *')
  const wake = () => {
    boss
      .send(QUEUE)
      .then(() => boss.notifyWorker(worker))
      .catch((err: unknown) => logger.warn({ err }, 'log streams could not be woken; the next minute wakes them'))
  }
  const listening = await database.acrossEnvironments('hear of new log entries', (sql) =>
    sql.listen('tenantry_logs', wake, wake),
  )
  return {
    stop: async () => {
      await listening.unlisten()
      await boss.offWork(QUEUE, { wait: true })
    },
  }
}

async function deliverDue(deps: LogStreamDependencies): Promise<void> {
  const { database, clock } = deps
  for (;;) {
    const now = clock.now()
    const mine = addSeconds(now, CLAIM_SECONDS)
    const stream = await database.acrossEnvironments('find a log stream that is due', (sql) =>
      store.claim(sql, now, mine),
    )
    if (!stream) return
    await deliver(deps, stream, mine)
  }
}

async function deliver(deps: LogStreamDependencies, stream: store.DueStream, mine: Date): Promise<void> {
  const { database, secrets, clock, logger, egress } = deps
  const entries = await database.acrossEnvironments('read the entries of a log stream', (sql) =>
    store.entriesAfter(sql, stream, BATCH),
  )
  const last = entries.at(-1)?.position
  if (last === undefined) return
  const wanted = entries.filter(
    ({ type }) =>
      stream.filters.length === 0 ||
      stream.filters.some(({ name }) => name === (LOG_TYPES[type as LogType]?.category ?? 'other')),
  )
  let error: string | undefined
  if (wanted.length > 0) {
    const secret = openSink(secrets, stream.environment_id, stream.id, stream.secrets)
    const { headers, body } = deliveryOf(stream.sink, secret, wanted, clock.now())
    const request = { method: 'POST', headers, body, timeoutMs: TIMEOUT_MS }
    error = await egress.request(stream.sink.httpEndpoint, request).then(
      ({ status }) => (status >= 200 && status < 300 ? undefined : `the endpoint answered ${status}`),
      (failure: Error) => failure.message,
    )
  }
  await database.acrossEnvironments('keep how far a log stream is', (sql) => {
    if (error === undefined) return store.markDelivered(sql, stream, last, mine)
    const suspend = stream.attempts + 1 >= ATTEMPTS
    logger.warn({ stream: stream.id, attempts: stream.attempts + 1, error, suspend }, 'a log stream was not delivered')
    const again = addSeconds(clock.now(), pause(stream.attempts))
    return store.markFailed(sql, stream, mine, { error: error.slice(0, 500), again, suspend })
  })
}
