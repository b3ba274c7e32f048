/**
 * What people are told when a protection steps in. It is written aside: whoever causes it must not notice by the time of
 * the answer whether there is somebody to tell.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { brandTokens, DEFAULT_BRAND } from '../../brand-colors.ts'
import type { Outbox } from '../../delivery/outbox.ts'
import { inert, initials, render } from '../../delivery/render.ts'
import * as messages from '../../delivery/store.ts'
import { friendlyName, primaryColor, type RequestEnvironment } from '../../environments/environment.ts'
import * as environments from '../../environments/store.ts'
import * as connections from '../connections/store.ts'
import { wordingOf } from '../email-templates/wording.ts'
import { sendTicketMail } from '../tickets/mail.ts'
import * as users from '../users/store.ts'
import type { ReadAttackProtection } from './settings.ts'
import * as store from './store.ts'

export interface Notices {
  /** Wrong passwords have blocked an account. */
  accountBlocked(environmentId: string, account: string): void
  /** An address tries too many passwords. */
  addressThrottled(environmentId: string, ip: string): void
  /** Somebody has, or wants, a password that is known from a leak. */
  passwordLeaked(environmentId: string, about: { shields: string[]; frequency: string[]; userId?: string | null }): void
}

/** Seconds in which a block begins once, and an account is told once. */
const BLOCK_SECONDS = 15 * 60
const HOUR = 3600
const FREQUENCY: Record<string, number> = { immediately: 60, daily: 24 * HOUR, weekly: 168 * HOUR, monthly: 720 * HOUR }

interface Notice {
  subject: string
  heading: string
  lead: string
  unexpected: string
  support: string
}

function rendered(environment: RequestEnvironment, notice: Notice) {
  const name = friendlyName(environment)
  return render('notice', {
    ...notice,
    preheader: notice.lead,
    product: inert(name),
    initials: initials(name),
    brand: brandTokens(primaryColor(environment) ?? DEFAULT_BRAND),
  })
}

export function createNotices(deps: {
  database: Database
  clock: Clock
  outbox: Outbox
  logger: Logger
  attackProtection: ReadAttackProtection
}): Notices {
  const { database, clock, outbox, logger, attackProtection } = deps

  const aside = (environmentId: string, write: (tx: Tx, environment: RequestEnvironment) => Promise<void>): void => {
    const done = database.inEnvironment(environmentId, async (tx) => {
      const found = await environments.get(tx, environmentId)
      if (!found) return
      const origin = found.origins[0]!
      const linkOrigin = found.default_domain === null ? origin : `https://${found.default_domain}`
      await write(tx, { ...found, origin, issuer: `${origin}/`, linkOrigin })
    })
    done.catch((err: unknown) => logger.warn({ err, environment: environmentId }, 'a notice was not written'))
  }

  const isDue = async (tx: Tx, recipient: string, template: string, seconds: number): Promise<boolean> =>
    (await messages.countSince(tx, { recipient, template, since: addSeconds(clock.now(), -seconds) })) === 0

  async function tellSupport(
    tx: Tx,
    environment: RequestEnvironment,
    template: string,
    seconds: number,
    words: { subject: string; lead: string },
  ): Promise<void> {
    const recipient = environment.settings.support_email
    if (!recipient || !(await isDue(tx, recipient, template, seconds))) return
    const name = friendlyName(environment)
    const subject = `${inert(name)}: ${words.subject}`
    const notice = { subject: words.subject, heading: words.subject, lead: words.lead, support: '' }
    const body = await rendered(environment, { ...notice, unexpected: 'The tenant log has the details.' })
    await outbox.add(tx, environment.id, { recipient, template, subject, ...body })
  }

  /**
   * Where people do not choose their passwords by themselves, no link can lead to a new one: neither ours nor that of a
   * template which the environment has worded.
   */
  async function tellWithoutLink(tx: Tx, environment: RequestEnvironment, recipient: string): Promise<void> {
    const template = 'stolen_credentials'
    if ((await wordingOf(tx, template))?.enabled === false) return
    const product = inert(friendlyName(environment))
    const { settings } = environment
    const subject = `Your password for ${product} is known to others`
    const body = await rendered(environment, {
      subject,
      heading: 'Your password is known to others',
      lead: `The password of your sign-in at ${product} is in a list that was taken from another service. Whoever manages your account there can give you a new one: ask them for it. Change it yourself wherever else you use it.`,
      unexpected: 'Until it is changed, whoever has that list may be able to sign in as you.',
      support: settings.support_email ?? settings.support_url ?? '',
    })
    await outbox.add(tx, environment.id, { recipient, template, subject, ...body })
  }

  async function tellPerson(
    tx: Tx,
    environment: RequestEnvironment,
    userId: string,
    template: 'blocked_account' | 'stolen_credentials',
    seconds: number,
  ): Promise<void> {
    const user = await users.lock(tx, userId)
    const { email } = user
    if (!email || !(await isDue(tx, email, template, seconds))) return
    const { options } = await connections.get(tx, user.connection_id)
    if (template === 'stolen_credentials' && options.disable_self_service_change_password === true) {
      await tellWithoutLink(tx, environment, email)
    } else {
      await sendTicketMail({ clock, outbox }, tx, template, { environment, user: { ...user, email } })
    }
  }

  return {
    accountBlocked: (environmentId, account) =>
      void attackProtection(environmentId).then(({ bruteForce }) => {
        if (!bruteForce.settings.shields.includes('user_notification')) return
        aside(environmentId, async (tx, environment) => {
          for (const { user_id } of await store.ownersOf(tx, account)) {
            await tellPerson(tx, environment, user_id, 'blocked_account', BLOCK_SECONDS)
          }
        })
      }),

    addressThrottled: (environmentId, ip) =>
      void attackProtection(environmentId).then(({ ipThrottling }) => {
        if (!ipThrottling.settings.shields.includes('admin_notification')) return
        aside(environmentId, (tx, environment) =>
          tellSupport(tx, environment, 'suspicious_ip_admin', HOUR, {
            subject: 'Many failed tries from one address',
            lead: `The address ${ip} has used up its tries to sign in or to sign up.`,
          }),
        )
      }),

    passwordLeaked(environmentId, { shields, frequency, userId }) {
      if (shields.includes('admin_notification')) {
        const seconds = Math.min(...frequency.map((each) => FREQUENCY[each]!), 720 * HOUR)
        aside(environmentId, (tx, environment) =>
          tellSupport(tx, environment, 'breached_password_admin', frequency.length > 0 ? seconds : 60, {
            subject: 'A password from a leak was used',
            lead: 'Somebody signed in, signed up or chose a password with one that is known from a leak of another service.',
          }),
        )
      }
      if (userId && shields.includes('user_notification')) {
        aside(environmentId, (tx, environment) => tellPerson(tx, environment, userId, 'stolen_credentials', 24 * HOUR))
      }
    },
  }
}
