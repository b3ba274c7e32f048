/** The mail or text message with a code, as the connection words it or as it comes along. */
import { brandTokens, DEFAULT_BRAND } from '../../brand-colors.ts'
import type { Mail } from '../../delivery/outbox.ts'
import { inert, initials, plainText, render, renderWritten } from '../../delivery/render.ts'
import { friendlyName, primaryColor } from '../../environments/environment.ts'
import type { Connection } from '../../oauth/configuration.ts'
import type { PasswordlessOptions } from '../../resources/connections/passwordless.ts'
import { senderOf } from '../../resources/email-templates/wording.ts'
import type { Place } from './passwordless.ts'

export interface CodeMessage {
  place: Place
  connection: Connection
  recipient: string
  code: string
  minutes: number
  /** Where a link was asked for: it opens the page with the code in it. */
  link?: string | undefined
}

const variablesOf = ({ place: { client, environment }, recipient, code, link }: CodeMessage) => ({
  code,
  link,
  password: code,
  email: recipient,
  user: { email: recipient },
  phone_number: recipient,
  send: link === undefined ? 'code' : 'link',
  application: { name: inert(client.name), clientID: client.client_id, metadata: client.client_metadata },
  client_name: inert(client.name),
  request_language: environment.language ?? 'en',
  tenant: environment.name,
  friendly_name: inert(friendlyName(environment)),
  support_email: environment.settings.support_email,
  support_url: environment.settings.support_url,
})

/** Auth0's older marks, which the text message of each new connection still has there. */
const unmarked = (source: string): string => source.replace(/@@(password|code|link)@@/g, '{{ $1 }}')

const LONGEST_TEXT = 400

/** A template that fails, or forgets the code, must not keep people out. */
export async function textOf(message: CodeMessage): Promise<string> {
  const { template } = message.connection.options as unknown as PasswordlessOptions
  const written = template ? await renderWritten('text', unmarked(template), variablesOf(message)).catch(() => '') : ''
  const text = written.trim().slice(0, LONGEST_TEXT)
  if (text.includes(message.code)) return text
  return `Your code to sign in to ${inert(message.place.client.name)} is ${message.code}`
}

export async function mailOf(message: CodeMessage): Promise<Mail> {
  const { place, recipient, code, minutes } = message
  const { environment, client, state } = place
  const { settings } = environment
  const product = inert(client.name)
  const wanted = message.link === undefined ? 'code' : 'link'
  const subject = `Your ${wanted} to sign in to ${product}`
  const base = { recipient, template: `auth_email_by_${wanted}`, subject }
  const { email } = message.connection.options as unknown as PasswordlessOptions
  try {
    const variables = variablesOf(message)
    const html = email?.body ? await renderWritten('html', unmarked(email.body), variables) : undefined
    const words = email?.subject ? (await renderWritten('text', email.subject, variables)).trim().slice(0, 400) : ''
    const own = {
      ...(words ? { subject: words } : {}),
      ...(email?.from ? { sender: await senderOf(email.from, variables) } : {}),
    }
    const point = message.link ?? code
    // A link stands in an attribute, escaped.
    if (html?.includes(point.replaceAll('&', '&amp;'))) return { ...base, ...own, html, text: plainText(html, point) }
    return { ...base, ...own, ...(await builtIn()) }
  } catch {
    return { ...base, ...(await builtIn()) }
  }

  async function builtIn() {
    // In the browser that asked for it the link opens the page with the code in it; in any other it opens nothing.
    const ofPage =
      state && `${environment.origin}/u/login/code-challenge?state=${state}&code=${encodeURIComponent(code)}`
    const link = message.link ?? ofPage ?? ''
    return render('code', {
      url: link,
      subject,
      preheader: `The ${wanted} to sign in with`,
      heading: `Sign in with this ${wanted}`,
      lead:
        wanted === 'link'
          ? `Open the link below in the browser in which you’re signing in to ${product}. If a page asks for a code, type this one.`
          : `Type this code on the page where you’re signing in to ${product}.`,
      code,
      minutes,
      unexpected: 'Not signing in? Ignore this message. Without it nobody gets in.',
      product,
      initials: initials(client.name),
      support: settings.support_email ?? settings.support_url ?? '',
      brand: brandTokens(primaryColor(environment) ?? DEFAULT_BRAND),
    })
  }
}
