/**
 * Tells applications that a session has ended (OpenID Connect Back-Channel Logout 1.0). What is to be told is written by
 * the database with the end itself; jobs only wake this worker, when something is written and every minute for what is due
 * again. A token carries the notice's id as `jti`, so an application that gets it twice can know.
 */
import { addSeconds, type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { PgBoss } from 'pg-boss'
import { signJwt } from '../../keys/jwt.ts'
import type { Keyrings } from '../../keys/keyring.ts'
import type { TenantLog } from '../../logs/tenant-log.ts'
import * as store from './store.ts'

const QUEUE = 'backchannel-logout'
const PARALLEL = 4
const TIMEOUT_MS = 5000
/** Longer than a request may take, so that nobody else sends the same notice meanwhile. */
const CLAIM_SECONDS = 30
/** A token is good for as long as one attempt may take (§2.4 recommends two minutes at most). */
const TOKEN_SECONDS = 120
/** Ten seconds, then longer: about an hour in all. */
const ATTEMPTS = 8
const pause = (attempts: number): number => 10 * 2 ** attempts

export interface BackchannelLogoutDependencies {
  boss: PgBoss
  database: Database
  clock: Clock
  logger: Logger
  egress: Egress
  keyrings: Keyrings
  tenantLog: TenantLog
}

export async function startBackchannelLogout(deps: BackchannelLogoutDependencies): Promise<{ stop(): Promise<void> }> {
  const { boss, database, logger } = deps
  await boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: 3600 })
  const worker = await boss.work(QUEUE, { pollingIntervalSeconds: 10 }, async () => {
    await Promise.all(Array.from({ length: PARALLEL }, () => tellDue(deps)))
  })
  await boss.schedule(QUEUE, '* * * * *')
  const wake = () => {
    boss
      .send(QUEUE)
      .then(() => boss.notifyWorker(worker))
      .catch((err: unknown) => logger.warn({ err }, 'sign-outs could not be told at once; the next minute tells them'))
  }
  const listening = await database.acrossEnvironments('hear of ended sessions', (sql) =>
    sql.listen('tenantry_logout', wake, wake),
  )
  return {
    stop: async () => {
      await listening.unlisten()
      await boss.offWork(QUEUE, { wait: true })
    },
  }
}

async function tellDue(deps: BackchannelLogoutDependencies): Promise<void> {
  const { database, clock } = deps
  for (;;) {
    const now = clock.now()
    const notice = await database.acrossEnvironments('find an application to tell of a sign-out', (sql) =>
      store.claim(sql, now, addSeconds(now, CLAIM_SECONDS)),
    )
    if (!notice) return
    await tell(deps, notice)
  }
}

async function tell(deps: BackchannelLogoutDependencies, notice: store.Notice): Promise<void> {
  const { database, clock, tenantLog } = deps
  const across = (work: Parameters<typeof database.acrossEnvironments<unknown>>[1]) =>
    database.acrossEnvironments('keep whether an application was told of a sign-out', work)
  const outcome = notice.url === null ? undefined : await send(deps, notice, notice.url)
  const again = outcome?.error !== undefined && !outcome.isFinal && notice.attempts < ATTEMPTS
  await across((sql) =>
    again ? store.postpone(sql, notice, addSeconds(clock.now(), pause(notice.attempts))) : store.remove(sql, notice),
  )
  if (again || outcome === undefined) return
  tenantLog.add(notice.environment_id, {
    type: outcome.error === undefined ? 'oidc_backchannel_logout_succeeded' : 'oidc_backchannel_logout_failed',
    client_id: notice.client_id,
    client_name: notice.client_name,
    user_id: notice.user_id,
    description: outcome.error ?? null,
    details: { initiator: notice.initiator, sid: notice.sid, attempts: notice.attempts },
  })
}

interface Outcome {
  /** Undefined when the application has taken it. */
  error: string | undefined
  /** The same request would be refused again. */
  isFinal: boolean
}

async function send(deps: BackchannelLogoutDependencies, notice: store.Notice, url: string): Promise<Outcome> {
  const body = Buffer.from(new URLSearchParams({ logout_token: await logoutToken(deps, notice) }).toString())
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = deps.egress.request(url, { method: 'POST', headers, body, timeoutMs: TIMEOUT_MS })
  return answer.then(
    // §2.8 wants 200; 204 is what frameworks make of nothing to say. What is refused with a reason is refused for good.
    ({ status }) => ({
      error: status >= 200 && status < 300 ? undefined : `the application answered ${status}`,
      isFinal: status >= 300 && status < 500 && status !== 429 && status !== 408,
    }),
    (failure: Error & { code?: string }) => ({ error: failure.message, isFinal: failure.code === 'egress_refused' }),
  )
}

/** §2.4: no nonce, so that it can never pass for an ID token; what it is, `typ` says. */
async function logoutToken({ keyrings, clock }: BackchannelLogoutDependencies, notice: store.Notice): Promise<string> {
  const now = epochSeconds(clock.now())
  const { current } = await keyrings(notice.environment_id)
  return signJwt(
    current,
    {
      iss: notice.issuer,
      sub: notice.user_id,
      aud: notice.client_id,
      iat: now,
      exp: now + TOKEN_SECONDS,
      jti: notice.id,
      sid: notice.sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...(notice.session_metadata ? { session_metadata: notice.session_metadata } : {}),
    },
    'logout+jwt',
  )
}
