/**
 * The mailbox of an installation that sends nothing: what would have been sent, as a page for people (/dev/mail) and as
 * JSON for tests (/dev/mail.json). It shows links that sign people in, so it exists only where no SMTP server is set, and
 * answers only at names that no machine of the internet can have: forgetting to set SMTP must not publish invitations.
 *
 * Messages are shown as what they are, somebody else's HTML: in a document of its own that runs nothing, loads nothing
 * and, being sandboxed, belongs to no origin.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { designTokens } from '../design-tokens.ts'
import { longDate } from './dates.ts'
import { openBody } from './outbox.ts'
import { page } from './render.ts'
import * as store from './store.ts'

export const problems = defineProblems({
  mailbox_not_local: {
    status: 404,
    title: 'The mailbox is shown at local addresses only, such as localhost. Set an SMTP server to send mail.',
  },
  inexistent_message: { status: 404, title: 'This message does not exist. The mailbox lists those that do.' },
})

const SHOWN = 200
const To = Type.Optional(Type.String({ maxLength: 254 }))
const MessageId = Exact({ id: Type.String({ maxLength: 64 }) })
const Message = Type.Object({
  id: Type.String(),
  to: Type.String(),
  subject: Type.String(),
  template: Type.String(),
  /** mail or sms */
  channel: Type.String(),
  created_at: Type.String(),
  text: Type.String(),
  html: Type.String(),
  links: Type.Array(Type.String()),
})

const css = designTokens + readFileSync(new URL('./templates/mailbox.css', import.meta.url), 'utf8')
const cssHash = createHash('sha256').update(css).digest('base64')
const renderPage = page('mailbox')

export const mailbox: Slice<{ database: Database; secrets: Secrets }> =
  ({ database, secrets }) =>
  async (app) => {
    const open = (row: store.MessageRow) => {
      const { html, text } = openBody(secrets, row.environment_id, row.id, row.body)
      const { id, recipient, subject, template, channel, created_at } = row
      return {
        id,
        to: recipient,
        subject,
        template,
        channel,
        created_at: created_at.toISOString(),
        text,
        html,
        links: linksOf(text),
      }
    }
    const list = (environmentId: string, to: string | undefined) =>
      database.inEnvironment(environmentId, (tx) => store.list(tx, { ...(to ? { recipient: to } : {}), limit: SHOWN }))
    const get = async (environmentId: string, id: string) => {
      const row = await database.inEnvironment(environmentId, (tx) => store.find(tx, id))
      if (!row) throw problems.inexistent_message()
      return row
    }
    const send = async (
      reply: FastifyReply,
      given: { rows: store.MessageRow[]; shown: store.MessageRow | undefined; chosen: boolean; to: string | undefined },
    ) => {
      const { rows, shown, chosen, to } = given
      const body = await renderPage({
        css,
        chosen,
        to: to ?? '',
        query: to ? `?to=${encodeURIComponent(to)}` : '',
        messages: rows.map((row) => ({ ...summary(row), current: row.id === shown?.id })),
        message: shown ? { ...summary(shown), ...pickBody(open(shown)) } : null,
      })
      const policy =
        `default-src 'none'; style-src 'sha256-${cssHash}'; frame-src 'self'; form-action 'self'; ` +
        `base-uri 'none'; frame-ancestors 'none'`
      return guard(reply, policy).type('text/html; charset=utf-8').send(body)
    }

    app.addHook('onRequest', async (request) => {
      if (!isLocal(new URL(request.environment.origin).hostname)) throw problems.mailbox_not_local()
    })

    app.get('/dev/mail', { schema: { querystring: Exact({ to: To }) } }, async (request, reply) => {
      const { to } = request.query
      const rows = await list(request.environment.id, to)
      return send(reply, { rows, shown: rows[0], chosen: false, to })
    })

    app.get(
      '/dev/mail/:id',
      { schema: { params: MessageId, querystring: Exact({ to: To }) } },
      async (request, reply) => {
        const shown = await get(request.environment.id, request.params.id)
        const { to } = request.query
        return send(reply, { rows: await list(request.environment.id, to), shown, chosen: true, to })
      },
    )

    app.get('/dev/mail/:id/content', { schema: { params: MessageId } }, async (request, reply) => {
      const { html } = open(await get(request.environment.id, request.params.id))
      const policy =
        `default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; ` +
        `frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox`
      // A link opens beside the mailbox, as it would from a mail program.
      const body = html.replace('<head>', '<head><base target="_blank">')
      return guard(reply, policy).type('text/html; charset=utf-8').send(body)
    })

    app.get(
      '/dev/mail.json',
      { schema: { querystring: Exact({ to: To }), response: { 200: Type.Array(Message) } } },
      async (request, reply) => {
        reply.header('cache-control', 'no-store')
        return (await list(request.environment.id, request.query.to)).map(open)
      },
    )
  }

/** Loopback, and the names that RFC 6761 §6 keeps out of the public DNS. The host is one of the environment's own. */
const isLocal = (hostname: string): boolean =>
  /^(.+\.)?(localhost|test|example|invalid)$/.test(hostname) || /^(127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)

const summary = ({ id, recipient, subject, channel, created_at }: store.MessageRow) => ({
  id,
  to: recipient,
  subject,
  is_text: channel === 'sms',
  at: longDate(created_at),
})

const pickBody = ({ text, links }: { text: string; links: string[] }) => ({ text, links })

/** The addresses in a message; its plain text has each of them once, unescaped. */
const linksOf = (text: string): string[] => [...new Set(text.match(/https?:\/\/[^\s<>"]+/g) ?? [])]

const guard = (reply: FastifyReply, policy: string) =>
  reply.headers({
    'content-security-policy': policy,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
