/**
 * Mail and text messages that are to be sent: written in the transaction of their cause, so they go out if and only if
 * the cause was kept. What happens then depends on the installation: a mailbox page for development, or SMTP and the
 * environment's phone provider (worker.ts).
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as store from './store.ts'

/** `mailbox` keeps mail to be read at /dev/mail, and sends nothing. */
export type MailSetting = { kind: 'mailbox' } | { kind: 'smtp'; url: string; from: string }

export interface Mail {
  recipient: string
  /** Name of the template, such as `organization_invitation`. */
  template: string
  subject: string
  html: string
  text: string
  /** Who it is from: an address, or a name and <address>. Without it the sender of the mail server. */
  sender?: string | undefined
  /** In whose name it is: while that organization is suspended, it waits. */
  organizationId?: string | undefined
}

export interface Sms {
  /** A number as E.164 writes it: +4366012345678 */
  recipient: string
  /** What it is for, such as `auth_sms_by_code`. */
  template: string
  text: string
}

export const problems = defineProblems({
  no_phone_provider: {
    status: 503,
    title:
      'Text messages cannot be sent: no phone provider is set. Set one with POST /api/v2/branding/phone/providers.',
  },
})

export interface MailBody {
  html: string
  text: string
}

export interface Outbox {
  add(tx: Tx, environmentId: string, mail: Mail): Promise<void>
  /** @throws Problem `no_phone_provider` where nobody would ever send or show it */
  addSms(tx: Tx, environmentId: string, sms: Sms): Promise<void>
}

export const createOutbox = (deps: { secrets: Secrets; clock: Clock; mail: MailSetting }): Outbox => ({
  async add(tx, environmentId, { recipient, template, subject, html, text, sender, organizationId }) {
    const id = newId.uuid()
    const now = deps.clock.now()
    await store.insert(tx, {
      environment_id: environmentId,
      id,
      recipient,
      template,
      // A line break in a subject would start another header.
      subject: subject.replace(/\p{Cc}+/gu, ' ').trim(),
      body: sealBody(deps.secrets, environmentId, id, { html, text }),
      sender: sender ?? null,
      organization_id: organizationId ?? null,
      created_at: now,
      // Mail of a mailbox is never due: turning SMTP on later must not send a developer's experiments.
      next_attempt_at: deps.mail.kind === 'smtp' || (await store.hasProvider(tx)) ? now : null,
      channel: 'mail',
    })
  },
  async addSms(tx, environmentId, { recipient, template, text }) {
    const id = newId.uuid()
    const now = deps.clock.now()
    const isSent = await store.hasPhoneProvider(tx)
    if (!isSent && deps.mail.kind !== 'mailbox') throw problems.no_phone_provider()
    await store.insert(tx, {
      environment_id: environmentId,
      id,
      recipient,
      template,
      // Subjects are kept in clear, and the words of a text message are a code.
      subject: 'Text message',
      body: sealBody(deps.secrets, environmentId, id, { html: '', text }),
      sender: null,
      organization_id: null,
      created_at: now,
      next_attempt_at: isSent ? now : null,
      channel: 'sms',
    })
  },
})

const context = (environmentId: string, id: string) => `${environmentId}/message/${id}`

/** Bodies hold links that sign people in, so they rest sealed like other secrets. */
export const sealBody = (secrets: Secrets, environmentId: string, id: string, body: MailBody): Buffer =>
  secrets.seal(context(environmentId, id), JSON.stringify(body))

export const openBody = (secrets: Secrets, environmentId: string, id: string, sealed: Uint8Array): MailBody =>
  JSON.parse(secrets.open(context(environmentId, id), sealed)) as MailBody
