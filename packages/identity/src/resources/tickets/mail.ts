/** The mails with tickets in them: written, like the ticket, in the transaction of their cause. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { brandTokens, DEFAULT_BRAND } from '../../brand-colors.ts'
import { longDate } from '../../delivery/dates.ts'
import type { Mail, Outbox } from '../../delivery/outbox.ts'
import { inert, initials, render } from '../../delivery/render.ts'
import { friendlyName, primaryColor, type RequestEnvironment } from '../../environments/environment.ts'
import { type MailSubject, resultUrlOf, word, wordingOf } from '../email-templates/wording.ts'
import type { UserWithConnection } from '../users/store.ts'
import { makeTicket } from './rules.ts'
import { DEFAULT_TTL } from './schema.ts'
import * as store from './store.ts'

export interface MailDependencies {
  clock: Clock
  outbox: Outbox
}

export interface TicketMail extends Pick<MailSubject, 'client' | 'organization'> {
  environment: RequestEnvironment
  user: UserWithConnection & { email: string }
}

const WORDS = {
  verify_email: {
    kind: 'email_verification',
    subject: (product: string) => `Confirm your address for ${product}`,
    heading: 'Confirm your email address',
    lead: (product: string) => `Confirm that this address is yours, and ${product} can reach you.`,
    button: 'Confirm address',
    unexpected: 'Didn’t expect this? Ignore this message. The address stays unconfirmed.',
  },
  reset_email: {
    kind: 'password_change',
    subject: (product: string) => `Choose a new password for ${product}`,
    heading: 'Choose a new password',
    lead: (product: string) => `A new password for your sign-in at ${product} was asked for.`,
    button: 'Choose a password',
    unexpected: 'Didn’t ask for this? Ignore this message. Your password stays as it is.',
  },
} as const

/** @returns whether a mail was written; none is when its template is switched off */
export async function sendTicketMail(
  { clock, outbox }: MailDependencies,
  tx: Tx,
  template: keyof typeof WORDS,
  given: TicketMail,
): Promise<boolean> {
  const { environment, user, client, organization } = given
  const words = WORDS[template]
  const wording = await wordingOf(tx, template)
  if (wording?.enabled === false) return false
  const subject: MailSubject = {
    environment,
    user: { ...user },
    connection: { name: user.connection },
    client,
    organization,
  }
  const now = clock.now()
  const ttl = wording?.url_lifetime_in_seconds || DEFAULT_TTL
  const { row, url } = makeTicket(
    environment.origin,
    user,
    {
      kind: words.kind,
      ttl,
      resultUrl: await resultUrlOf(wording, subject),
      includeEmail: wording?.include_email_in_redirect,
      // Whoever opens the link reads that mailbox.
      markVerified: template === 'reset_email',
      clientId: client?.client_id,
      organizationId: organization?.id,
    },
    now,
  )
  const mail = await word(wording, subject, url, await builtIn(given, template, url, addSeconds(now, ttl)))
  if (!mail) return false
  await store.insert(tx, environment.id, row)
  await outbox.add(tx, environment.id, mail)
  return true
}

async function builtIn(given: TicketMail, template: keyof typeof WORDS, url: string, expires: Date): Promise<Mail> {
  const { environment, user, client, organization } = given
  const { settings } = environment
  const name = client?.name ?? friendlyName(environment)
  const product = inert(name)
  const { subject, lead, ...words } = WORDS[template]
  const body = await render('action', {
    ...words,
    subject: subject(product),
    lead: lead(product),
    preheader: words.heading,
    product,
    initials: initials(name),
    url,
    expires: longDate(expires),
    support: settings.support_email ?? settings.support_url ?? '',
    brand: brandTokens(organization?.branding?.colors?.primary ?? primaryColor(environment) ?? DEFAULT_BRAND),
  })
  return { recipient: user.email, template, subject: subject(product), ...body }
}

/** A first greeting, once an address is proven: only where an environment has worded one. */
export async function sendWelcome({ outbox }: Pick<MailDependencies, 'outbox'>, tx: Tx, given: TicketMail) {
  const { environment, user } = given
  const wording = await wordingOf(tx, 'welcome_email')
  if (!wording?.enabled || !wording.body) return
  const product = inert(friendlyName(environment))
  const url = environment.settings.default_redirection_uri ?? environment.origin
  const mail = await word(wording, { ...given, user: { ...user }, connection: { name: user.connection } }, url, {
    recipient: user.email,
    template: 'welcome_email',
    subject: `Welcome to ${product}`,
    html: '',
    text: '',
  })
  if (mail?.html) await outbox.add(tx, environment.id, mail)
}
