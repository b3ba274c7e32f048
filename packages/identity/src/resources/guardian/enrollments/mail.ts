/** The mail with a link to add a second factor. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { brandTokens, DEFAULT_BRAND } from '../../../brand-colors.ts'
import { longDate } from '../../../delivery/dates.ts'
import type { Outbox } from '../../../delivery/outbox.ts'
import { inert, initials, render } from '../../../delivery/render.ts'
import { friendlyName, primaryColor, type RequestEnvironment } from '../../../environments/environment.ts'
import { word, wordingOf } from '../../email-templates/wording.ts'
import type { UserWithConnection } from '../../users/store.ts'

export async function sendEnrolmentMail(
  outbox: Outbox,
  tx: Tx,
  given: { environment: RequestEnvironment; user: UserWithConnection; recipient: string; url: string; expires: Date },
): Promise<void> {
  const { environment, user, recipient, url, expires } = given
  const name = friendlyName(environment)
  const product = inert(name)
  const subject = `Secure your account at ${product}`
  const { settings } = environment
  const body = await render('action', {
    subject,
    preheader: 'Set up a second proof that it’s you',
    heading: 'Secure your account',
    lead: `${product} asks you to set up a second proof that it’s you when you sign in.`,
    button: 'Set it up',
    unexpected: 'Didn’t expect this? Ask your administrator before you open the link.',
    product,
    initials: initials(name),
    url,
    expires: longDate(expires),
    support: settings.support_email ?? settings.support_url ?? '',
    brand: brandTokens(primaryColor(environment) ?? DEFAULT_BRAND),
  })
  const wording = await wordingOf(tx, 'enrollment_email')
  const about = { environment, user: { ...user, email: recipient }, connection: { name: user.connection } }
  const mail = await word(wording, about, url, { recipient, template: 'enrollment_email', subject, ...body })
  if (mail) await outbox.add(tx, environment.id, mail)
}
