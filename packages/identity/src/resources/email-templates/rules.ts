import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { renderWritten } from '../../delivery/render.ts'
import { isEmailAddress } from '../email-address.ts'
import { only, refuseActive, unsupported } from '../inert.ts'
import { problems as managementProblems } from '../management-api.ts'
import { refuseAddress } from '../web-address.ts'
import { present } from '../wire.ts'
import {
  type EmailTemplateInput,
  NAMES,
  SENT,
  type SentTemplate,
  type TemplateName,
  type UpdateEmailTemplate,
} from './schema.ts'
import type { TemplateRow } from './store.ts'

export const problems = defineProblems({
  inexistent_email_template: { status: 404, title: 'The template does not exist.' },
  template_conflict: { status: 409, title: 'The template already exists.' },
})
const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/** What a template is kept as, if its mail is sent here. */
const kept = (name: string): SentTemplate | undefined =>
  SENT.find((sent) => sent === (name === 'change_password' ? 'reset_email' : name))

/** @throws Problem `inexistent_email_template`: also for a mail that is not sent here, since nobody can have set it */
export function readable(name: string): SentTemplate {
  const template = kept(name)
  if (!template) throw problems.inexistent_email_template()
  return template
}

/** @throws Problem `inexistent_email_template`, `operation_not_supported` */
export function writable(name: string): SentTemplate {
  const template = kept(name)
  if (template) return template
  if (!(NAMES as readonly string[]).includes(name)) throw problems.inexistent_email_template()
  const what = `The template '${name}' is not supported: this mail is never sent.`
  throw managementProblems.operation_not_supported({ facts: { what } })
}

/** @throws Problem `invalid_body` naming the member, and line and column of its template; `operation_not_supported` */
export async function changed(
  current: TemplateRow,
  change: Omit<UpdateEmailTemplate, 'template'> | EmailTemplateInput,
): Promise<TemplateRow> {
  if (change.syntax !== undefined && change.syntax !== null && change.syntax !== 'liquid') throw unsupported('syntax')
  const keep = <T>(given: T | undefined, before: T): T => (given === undefined ? before : given)
  const row: TemplateRow = {
    template: current.template,
    body: keep(change.body, current.body),
    sender: keep(change.from, current.sender),
    result_url: keep(change.resultUrl, current.result_url),
    subject: keep(change.subject, current.subject),
    url_lifetime_in_seconds: keep(change.urlLifetimeInSeconds, current.url_lifetime_in_seconds),
    include_email_in_redirect: keep(change.includeEmailInRedirect, current.include_email_in_redirect),
    enabled: keep(change.enabled, current.enabled) ?? true,
  }
  await Promise.all([
    refuseUnrenderable('html', 'body', row.body),
    ...(['subject', 'sender', 'result_url'] as const).map((member) =>
      refuseUnrenderable('text', ON_WIRE[member], row[member]),
    ),
  ])
  if (row.sender !== null && row.sender !== '' && !addressOf(row.sender)) {
    throw refuse("'from' must be one e-mail address, or a name and <address>.")
  }
  const wrong = row.result_url && !isTemplated(row.result_url) ? refuseAddress(row.result_url) : undefined
  if (wrong) throw refuse(`'resultUrl' ${wrong}.`)
  refuseActive(inert[row.template] ?? {}, change)
  if (row.template === 'welcome_email' && row.enabled && !row.body) throw refuse("'body' of a welcome mail is missing.")
  return row
}

/** An invitation leads to the application whatever happens, and a welcome has no link that could run out. */
const noResult = { resultUrl: only('', null), includeEmailInRedirect: only(false) }
const inert: Partial<Record<SentTemplate, Parameters<typeof refuseActive>[0]>> = {
  user_invitation: noResult,
  mfa_oob_code: { ...noResult, urlLifetimeInSeconds: only(null, 0, 300) },
  enrollment_email: noResult,
  welcome_email: { ...noResult, urlLifetimeInSeconds: only(null, 0, 432_000) },
}

const ON_WIRE = { subject: 'subject', sender: 'from', result_url: 'resultUrl' }

export const isTemplated = (text: string): boolean => /\{[{%]/.test(text)

/** The address in `Name <address>`; it is written as it is, only the name may be Liquid. */
export function addressOf(sender: string): string | undefined {
  const address = /^[^<>]*<([^<>\s]+)>$/.exec(sender.trim())?.[1] ?? sender.trim()
  return isEmailAddress(address) ? address : undefined
}

/** Tried out with nothing in it, so that what cannot work is known to whoever writes it. */
async function refuseUnrenderable(form: 'html' | 'text', member: string, source: string | null): Promise<void> {
  if (!source) return
  try {
    await renderWritten(form, source, {})
  } catch (error) {
    throw refuse(`'${member}' is not Liquid that renders: ${(error as Error).message.slice(0, 300)}`)
  }
}

export const fresh = (template: SentTemplate): TemplateRow => ({
  template,
  body: null,
  sender: null,
  result_url: null,
  subject: null,
  url_lifetime_in_seconds: null,
  include_email_in_redirect: null,
  enabled: true,
})

/** @param name as it was asked for: an alias answers as itself */
export const shown = (name: TemplateName, row: TemplateRow) => ({
  template: name,
  syntax: 'liquid',
  ...present({
    body: row.body,
    from: row.sender,
    resultUrl: row.result_url,
    subject: row.subject,
    urlLifetimeInSeconds: row.url_lifetime_in_seconds,
    includeEmailInRedirect: row.include_email_in_redirect,
    enabled: row.enabled,
  }),
})
