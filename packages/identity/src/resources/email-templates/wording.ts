/**
 * A mail as its environment words it. The program's own words stand in for what a template leaves open, and for all of it
 * when the template fails on this very mail: a link that somebody waits for is worth more than its wording.
 */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Mail } from '../../delivery/outbox.ts'
import { inert, plainText, renderWritten } from '../../delivery/render.ts'
import { friendlyName, type RequestEnvironment } from '../../environments/environment.ts'
import type { OrganizationRow } from '../organizations/store.ts'
import { ORGANIZATION_NAME, refuseAddress } from '../web-address.ts'
import { addressOf, isTemplated } from './rules.ts'
import type { SentTemplate } from './schema.ts'
import * as store from './store.ts'

/** Who and what a mail is about; each becomes variables of the template, by Auth0's names. */
export interface MailSubject {
  environment: Pick<RequestEnvironment, 'name' | 'settings' | 'origin' | 'language'>
  user: Record<string, unknown> & { email: string }
  connection?: { name: string } | undefined
  client?:
    | { client_id: string; name: string; callbacks: string[]; client_metadata?: object; logo_uri?: string | null }
    | undefined
  organization?: Pick<OrganizationRow, 'id' | 'name' | 'display_name' | 'branding' | 'metadata'> | undefined
  inviter?: { name: string }
  roles?: string[]
}

export type Wording = store.TemplateRow | undefined

export const wordingOf = (tx: Tx, template: SentTemplate): Promise<Wording> => store.find(tx, template)

function variablesOf({ environment, user, connection, client, organization, inviter, roles }: MailSubject) {
  const { settings, origin } = environment
  const callback = client?.callbacks.find((address) => !address.includes(ORGANIZATION_NAME))
  const domain = callback && URL.canParse(callback) ? new URL(callback).origin : ''
  // A name that looks like an address would become a link in a mail with our sender.
  const name = (value: unknown) => (typeof value === 'string' ? inert(value) : value)
  const { email } = user
  return {
    friendly_name: inert(friendlyName(environment)),
    support_email: settings.support_email,
    support_url: settings.support_url,
    home_url: settings.default_redirection_uri,
    tenant: environment.name,
    domain: new URL(origin).host,
    request_language: environment.language ?? 'en',
    email,
    user: {
      user_id: user.user_id,
      email,
      email_verified: user.email_verified,
      name: name(user.name),
      nickname: name(user.nickname),
      given_name: name(user.given_name),
      family_name: name(user.family_name),
      picture: user.picture,
      user_metadata: user.user_metadata,
      app_metadata: user.app_metadata,
    },
    connection: connection && { name: connection.name },
    application: client && {
      name: inert(client.name),
      clientID: client.client_id,
      callback_domain: domain,
      logo_uri: client.logo_uri,
      metadata: client.client_metadata,
      client_metadata: client.client_metadata,
    },
    organization: organization && {
      id: organization.id,
      name: organization.name,
      display_name: inert(organization.display_name),
      metadata: organization.metadata,
      branding: organization.branding ?? {},
    },
    inviter: inviter && { name: inert(inviter.name) },
    roles: roles?.map(inert),
  }
}

/** Where a link leads when it has done its work, as its template says. */
export async function resultUrlOf(wording: Wording, subject: MailSubject): Promise<string | null> {
  const source = wording?.result_url
  if (!source) return null
  const address = isTemplated(source)
    ? await renderWritten('text', source, variablesOf(subject)).catch(() => '')
    : source
  return address && !refuseAddress(address) ? address : null
}

/**
 * @param point what the mail is for, a link or a code; it stands in it for certain
 * @returns undefined when this mail is switched off
 */
export async function word(
  wording: Wording,
  subject: MailSubject,
  point: string | { code: string },
  builtIn: Omit<Mail, 'sender'>,
): Promise<Mail | undefined> {
  if (!wording) return builtIn
  if (!wording.enabled) return undefined
  const own = typeof point === 'string' ? { url: point, link: point } : point
  const variables = { ...variablesOf(subject), ...own }
  try {
    const rendered = wording.subject ? await renderWritten('text', wording.subject, variables) : ''
    const html = wording.body ? await renderWritten('html', wording.body, variables) : undefined
    return {
      ...builtIn,
      ...(rendered.trim() ? { subject: rendered.slice(0, 400) } : {}),
      ...(html === undefined ? {} : { html, text: plainText(html, typeof point === 'string' ? point : point.code) }),
      sender: await senderOf(wording.sender, variables),
    }
  } catch {
    return builtIn
  }
}

/** The address was checked when the template was written; only the name before it is rendered, and stays a name. */
export async function senderOf(sender: string | null, variables: object): Promise<string | undefined> {
  const address = sender ? addressOf(sender) : undefined
  if (!sender || !address) return undefined
  const name = sender.includes('<')
    ? await renderWritten('text', sender.slice(0, sender.lastIndexOf('<')), variables)
    : ''
  const plain = name.replace(/[\p{Cc}\s"\\<>@,;:]+/gu, ' ').trim()
  return plain ? `"${plain}" <${address}>` : address
}
