/**
 * Delivers the outbox by SMTP, at least once. The rows of `messages` are the truth; jobs only wake a worker: when the
 * database announces new mail, and every minute for what is due again. A job that is lost delays mail, never loses it.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { PgBoss } from 'pg-boss'
import { environmentServer, installationServer, type MailServer } from './mail-server.ts'
import { type MailSetting, openBody } from './outbox.ts'
import { requestOf } from './sms/provider.ts'
import * as store from './store.ts'

const QUEUE = 'mail'
const PARALLEL = 3
/** A code that arrives after a quarter of an hour is worth nothing any more. */
const ATTEMPTS = { mail: 20, sms: 4 }

/** One minute, doubling up to six hours: 20 attempts are about three days, as long as mail servers try. */
const again = (now: Date, attempts: number): Date => addSeconds(now, Math.min(60 * 2 ** (attempts - 1), 21_600))

export interface DeliveryDependencies {
  boss: PgBoss
  database: Database
  secrets: Secrets
  clock: Clock
  logger: Logger
  setting: MailSetting
  /** Says which mail servers of environments may be connected to. */
  egress: Egress
}

export interface Delivery {
  /** Ends open connections; messages under way are finished first. */
  stop(): Promise<void>
}

export async function startDelivery(deps: DeliveryDependencies): Promise<Delivery> {
  const { boss, database, logger } = deps
  const send = createSender(deps)
  // `short`: at most one job waits, however many messages are announced.
  await boss.createQueue(QUEUE, { policy: 'short', retryLimit: 0, deleteAfterSeconds: 3600 })
  const worker = await boss.work(QUEUE, { pollingIntervalSeconds: 10 }, async () => {
    await Promise.all(Array.from({ length: PARALLEL }, () => deliverDue(deps, send.deliver)))
  })
  await boss.schedule(QUEUE, '* * * * *')
  const wake = () => {
    boss
      .send(QUEUE)
      .then(() => boss.notifyWorker(worker))
      .catch((err: unknown) => logger.warn({ err }, 'the mail worker could not be woken; the next minute wakes it'))
  }
  // Also runs when a lost connection is back: what was announced in between is unknown.
  const listening = await database.acrossEnvironments('hear of new mail', (sql) =>
    sql.listen('tenantry_mail', wake, wake),
  )
  return {
    stop: async () => {
      await listening.unlisten()
      await boss.offWork(QUEUE, { wait: true })
      send.close()
    },
  }
}

async function deliverDue(deps: DeliveryDependencies, deliver: (message: store.MessageRow) => Promise<void>) {
  const { database, clock, logger } = deps
  const across = <T>(work: Parameters<typeof database.acrossEnvironments<T>>[1]) =>
    database.acrossEnvironments('deliver mail', work)
  for (;;) {
    const now = clock.now()
    const message = await across((sql) => store.claim(sql, now, (attempts) => again(now, attempts)))
    if (!message) return
    try {
      await deliver(message)
    } catch (error) {
      const { code, responseCode, message: text } = error as Error & { code?: string; responseCode?: number }
      // 5xx is the server's last word on this message (RFC 5321 §4.2.1); a refused login is ours to repair.
      const isFinal = message.channel === 'mail' ? (responseCode ?? 0) >= 500 && code !== 'EAUTH' : code === REFUSED
      const givenUp = message.attempts >= ATTEMPTS[message.channel] || isFinal
      await across((sql) => store.markFailed(sql, message, { error: text.slice(0, 500), given_up: givenUp }))
      const { id, template, attempts } = message
      logger.warn({ message: id, template, attempts, givenUp, code, responseCode }, 'a message could not be delivered')
      continue
    }
    await across((sql) => store.markDelivered(sql, message, clock.now()))
  }
}

/** A phone provider's last word on a message: the same request would be refused again. */
const REFUSED = 'REFUSED'

async function sendSms({ database, secrets, egress, clock }: DeliveryDependencies, message: store.MessageRow) {
  const { environment_id, id, recipient } = message
  const provider = await database.acrossEnvironments('find a phone provider', (sql) =>
    store.phoneProvider(sql, environment_id),
  )
  if (!provider) throw new Error('no phone provider is set any more')
  const { text } = openBody(secrets, environment_id, id, message.body)
  const { url, ...request } = requestOf(secrets, environment_id, provider, { id, to: recipient, text }, clock.now())
  const { status } = await egress.request(url, request)
  if (status >= 200 && status < 300) return
  const again = status >= 500 || status === 429 || status === 401 || status === 403
  throw Object.assign(new Error(`the phone provider answered ${status}`), again ? {} : { code: REFUSED })
}

function createSender(deps: DeliveryDependencies) {
  const { database, secrets, setting, egress } = deps
  const installation = setting.kind === 'smtp' ? installationServer(setting, PARALLEL) : undefined
  const own = { secrets, egress, from: installation?.from ?? 'no-reply@localhost' }
  const serverOf = async (environmentId: string): Promise<MailServer | undefined> => {
    const row = await database.acrossEnvironments('find a mail server', (sql) => store.provider(sql, environmentId))
    return row ? environmentServer(own, environmentId, row) : installation
  }
  return {
    close: () => installation?.transport.close(),
    async deliver(message: store.MessageRow) {
      if (message.channel === 'sms') return sendSms(deps, message)
      const server = await serverOf(message.environment_id)
      if (!server) throw new Error('no mail server is set any more')
      const { html, text } = openBody(secrets, message.environment_id, message.id, message.body)
      const from = message.sender ?? server.from
      const host = /@([^\s>]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'
      try {
        await server.transport.sendMail({
          from,
          // As an object the address is taken as it is; as a text it would be parsed once more.
          to: { name: '', address: message.recipient },
          subject: message.subject,
          html,
          text,
          date: message.created_at,
          // The same at each attempt, so that receivers can recognise a second copy.
          messageId: `<${message.id}@${host}>`,
          headers: { 'auto-submitted': 'auto-generated' },
        })
      } finally {
        if (server !== installation) server.transport.close()
      }
    },
  }
}
