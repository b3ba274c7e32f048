/** The mails with tickets in them: written, like the ticket, in the transaction of their cause. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { brandTokens, DEFAULT_BRAND } from '../../brand-colors.ts'
import { longDate } from '../../delivery/dates.ts'
import type { Mail, Outbox } from '../../delivery/outbox.ts'
import { inert, initials, render } from '../../delivery/render.ts'
import { friendlyName, primaryColor, type RequestEnvironment } from '../../environments/environment.ts'
import { type MailSubject, resultUrlOf, word, wordingOf } from '../email-templates/wording.ts'
import type { DatabaseIdentity } from '../users/identities/store.ts'
import type { UserWithConnection } from '../users/store.ts'
import { makeTicket, type SignUpInWaiting } from './rules.ts'
import { DEFAULT_TTL } from './schema.ts'
import * as store from './store.ts'

export interface MailDependencies {
  clock: Clock
  outbox: Outbox
}

export interface TicketMail extends Pick<MailSubject, 'client' | 'organization'> {
  environment: RequestEnvironment
  user: UserWithConnection & { email: string }
  signUp?: SignUpInWaiting | undefined
  /** A linked identity, whose address and connection then stand in `user`. */
  linked?: DatabaseIdentity | undefined
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
  blocked_account: {
    kind: 'unblock',
    subject: (product: string) => `Too many wrong passwords at ${product}`,
    heading: 'Your sign-in is blocked for a while',
    lead: (product: string) =>
      `There were too many wrong passwords for your sign-in at ${product}, so further tries are refused for a while. If they were yours, let yourself try again.`,
    button: 'Unblock my sign-in',
    unexpected: 'It wasn’t you? Leave it blocked. Your password was not found out.',
  },
  stolen_credentials: {
    kind: 'password_change',
    subject: (product: string) => `Change your password for ${product}`,
    heading: 'Your password is known to others',
    lead: (product: string) =>
      `The password of your sign-in at ${product} is in a list that was taken from another service. Choose a new one, here and wherever else you use it.`,
    button: 'Choose a new password',
    unexpected: 'Until you do, whoever has that list may be able to sign in as you.',
  },
  // To the owner of an address with which somebody tried to sign up; not one of Auth0's, so nobody words it.
  account_exists: {
    kind: 'password_change',
    subject: (product: string) => `You can sign in to ${product} already`,
    heading: 'You can sign in already',
    lead: (product: string) =>
      `Somebody, maybe you, tried to sign up at ${product} with this address, which has an account there. Sign in with its password or, if you don’t know it, choose a new one.`,
    button: 'Choose a new password',
    unexpected: 'It wasn’t you? Ignore this message. Nothing was changed.',
  },
} as const

/** @returns whether a mail was written; none is when its template is switched off */
export async function sendTicketMail(
  { clock, outbox }: MailDependencies,
  tx: Tx,
  template: keyof typeof WORDS,
  given: TicketMail,
): Promise<boolean> {
  const { environment, user, client, organization, signUp, linked } = given
  const words = WORDS[template]
  let wording = template === 'account_exists' ? undefined : await wordingOf(tx, template)
  if (wording?.enabled === false) {
    if (!signUp) return false
    // Without this mail nobody could finish signing up.
    wording = undefined
  }
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
      markVerified: words.kind === 'password_change',
      clientId: client?.client_id,
      organizationId: organization?.id,
      signUp,
      linked,
    },
    now,
  )
  const mail = await word(wording, subject, url, await builtIn(given, template, url, addSeconds(now, ttl)))
  if (!mail) return false
  await store.insert(tx, environment.id, row)
  await outbox.add(tx, environment.id, { ...mail, organizationId: organization?.id })
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
