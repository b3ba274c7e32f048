/**
 * The pages behind tickets: proving an address, choosing a password. They need no login under way: the ticket in the
 * address is the proof, and works once.
 *
 * Opening a link uses nothing up, only the button does. Mail scanners and previews open every link of a mail before a
 * person does; a ticket that a GET consumed would be used up by them, and an address proven that nobody read.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outbox } from '../delivery/outbox.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import type { Configuration } from '../oauth/configuration.ts'
import { readParameters } from '../oauth/parameters.ts'
import * as connections from '../resources/connections/store.ts'
import { sendWelcome } from '../resources/tickets/mail.ts'
import * as store from '../resources/tickets/store.ts'
import * as users from '../resources/users/store.ts'
import { hashPassword } from '../upstream/database/password.ts'
import { checkPassword, passwordRules } from '../upstream/database/policy.ts'
import { environmentLook, lookOf } from './look.ts'
import { sendPage } from './pages.ts'
import { problems as transactionProblems } from './transactions.ts'

export interface TicketDependencies {
  database: Database
  configuration: Configuration
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
}

export const problems = defineProblems({
  // One text for unknown, used, expired and outdated: it must not tell which of them it was.
  ticket_unusable: { status: 400, title: 'This link can’t be used any more' },
})

interface Opened {
  request: FastifyRequest
  reply: FastifyReply
  handle: string
  ticket: store.TicketRow
  user: users.UserWithConnection
}

const VERIFIED = 'Your email was verified. You can continue using the application.'
const CHANGED = 'You can now log in to the application with the new password.'

export const ticketPages = (deps: TicketDependencies) => async (app: Api) => {
  const { database, clock, tenantLog } = deps

  app.get('/u/email-verification', async (request, reply) =>
    showVerification(await open(request, reply, 'email_verification', queryTicket(request))),
  )
  app.post('/u/email-verification', { bodyLimit: 16 * 1024 }, async (request, reply) =>
    verify(await open(request, reply, 'email_verification', formOf(request).ticket)),
  )
  app.get('/u/reset-verify', async (request, reply) =>
    showPassword(await open(request, reply, 'password_change', queryTicket(request))),
  )
  app.post('/u/reset-verify', { bodyLimit: 16 * 1024 }, async (request, reply) => {
    const form = formOf(request)
    return changePassword(await open(request, reply, 'password_change', form.ticket), form)
  })

  /** @throws Problem `ticket_unusable` */
  async function open(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: store.TicketKind,
    handle: string | undefined,
  ): Promise<Opened> {
    const found = await database.inEnvironment(request.environment.id, async (tx) => {
      const ticket = handle ? await store.find(tx, hashHandle(handle), kind, clock.now()) : undefined
      const user = ticket && (await users.find(tx, ticket.user_id))
      return ticket && user ? { ticket, user } : undefined
    })
    if (!found) throw refused(request, kind)
    return { request, reply, handle: handle!, ...found }
  }

  function refused(request: FastifyRequest, kind: store.TicketKind, user?: users.UserWithConnection) {
    const type = kind === 'email_verification' ? 'fv' : 'fcp'
    // Of whom nothing is known, nothing is told: anybody could fill the log.
    if (user) {
      const description = 'The link was used already, has run out, or was made for another address.'
      tenantLog.add(request.environment.id, { type, description, ...who(user), ...asker(request) })
    }
    return problems.ticket_unusable()
  }

  function showVerification(opened: Opened) {
    return show(opened, 'email-verification', { email: opened.ticket.email })
  }

  async function verify(opened: Opened) {
    const { request, ticket, handle } = opened
    const { environment } = request
    const now = clock.now()
    const client = await clientOf(opened)
    const done = await database.inEnvironment(environment.id, async (tx) => {
      if (!(await store.redeem(tx, hashHandle(handle), 'email_verification', now))) return undefined
      const user = await users.get(tx, ticket.user_id)
      const email = ticket.email!
      const proven = await store.verifyEmail(tx, ticket.user_id, email, now)
      if (proven) await sendWelcome(deps, tx, { environment, user: { ...user, email }, client })
      return user
    })
    if (!done) throw refused(request, 'email_verification', opened.user)
    tenantLog.add(environment.id, { type: 'sv', ...who(done), ...asker(request) })
    return leave(opened, VERIFIED, {
      title: 'Your address is confirmed',
      text: 'Thank you. You can close this page.',
    })
  }

  async function showPassword(opened: Opened, refusal?: string, status = 200) {
    const { options } = await connectionOf(opened)
    const values = { email: opened.ticket.email, refused: refusal, password_rules: passwordRules(options) }
    return show(opened, 'reset-verify', values, status)
  }

  async function changePassword(opened: Opened, form: Readonly<Record<string, string>>) {
    const { request, ticket, handle, user } = opened
    const { environment } = request
    const password = form.password ?? ''
    const violation = checkPassword((await connectionOf(opened)).options, password, user)
    const refusal = violation?.text ?? (password === form.confirm ? undefined : DIFFERENT)
    if (refusal) return showPassword(opened, refusal, 400)
    // Hashing takes as long as many queries: no transaction is held open for it.
    const hash = await hashPassword(password)
    const now = clock.now()
    const done = await database.inEnvironment(environment.id, async (tx) => {
      if (!(await store.redeem(tx, hashHandle(handle), 'password_change', now))) return false
      await store.setPassword(tx, ticket.user_id, hash, now)
      if (ticket.mark_email_as_verified && ticket.email) await store.verifyEmail(tx, ticket.user_id, ticket.email, now)
      // Whoever knew the old one is out, and no other link sets it back.
      await users.endAccess(tx, ticket.user_id, now)
      return true
    })
    if (!done) throw refused(request, 'password_change', user)
    tenantLog.add(environment.id, { type: 'scp', ...who(user), ...asker(request) })
    return leave(opened, CHANGED, {
      title: 'Your password is changed',
      text: 'You’re signed out everywhere. Sign in again with the new password.',
    })
  }

  const connectionOf = ({ request, user }: Opened) =>
    database.inEnvironment(request.environment.id, (tx) => connections.get(tx, user.connection_id))

  const clientOf = ({ request, ticket }: Opened) =>
    ticket.client_id ? deps.configuration.client(request.environment.id, ticket.client_id) : undefined

  const organizationOf = ({ request, ticket }: Opened) =>
    ticket.organization_id ? deps.configuration.organization(request.environment.id, ticket.organization_id) : undefined

  async function show(
    opened: Opened,
    page: 'email-verification' | 'reset-verify' | 'ticket-done',
    values: Record<string, unknown>,
    status = 200,
  ) {
    const { request, reply, ticket, handle } = opened
    const [client, organization] = await Promise.all([clientOf(opened), organizationOf(opened)])
    const look = client ? lookOf(request.environment, client, organization) : environmentLook(request.environment)
    return sendPage(reply, page, {
      status,
      look,
      redirectUri: ticket.result_url ?? undefined,
      values: { ...values, application: look.application, ticket: handle },
    })
  }

  /** To the address that the ticket names, told in Auth0's words what happened; without one, a page. */
  async function leave(opened: Opened, message: string, page: { title: string; text: string }) {
    const { reply, ticket } = opened
    if (ticket.result_url) {
      const target = new URL(ticket.result_url)
      const told = {
        // There is no page here on which people sign up, or ask for a new password.
        supportSignUp: 'false',
        supportForgotPassword: 'false',
        ...(ticket.include_email_in_redirect && ticket.email ? { email: ticket.email } : {}),
        success: 'true',
        code: 'success',
        message,
      }
      for (const [name, value] of Object.entries(told)) target.searchParams.set(name, value)
      return reply.header('cache-control', 'no-store').redirect(target.href, 303)
    }
    const client = await clientOf(opened)
    const organization = await organizationOf(opened)
    return show(opened, 'ticket-done', { ...page, continueTo: loginRoute(client?.initiate_login_uri, organization) })
  }
}

const DIFFERENT = 'The two passwords differ. Type the same one twice.'

const queryTicket = (request: FastifyRequest): string | undefined => parseQuery(request.raw.url ?? '').ticket

/** @throws Problem `cross_site_post` for a form of another site; the ticket itself is what no other site knows */
function formOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const { origin } = request.headers
  if (origin !== undefined && origin !== request.environment.origin) throw transactionProblems.cross_site_post()
  return readParameters(request.body)
}

const who = (user: users.UserWithConnection | undefined) =>
  user && {
    user_id: user.user_id,
    user_name: user.email,
    connection: user.connection,
    connection_id: user.connection_id,
  }

/** Where an application begins a sign-in, with the organization that the ticket was made for. */
function loginRoute(
  route: string | null | undefined,
  organization: { organization_id: string; name: string } | undefined,
): string | undefined {
  if (!route || !/^https?:/.test(route) || !URL.canParse(route)) return undefined
  const url = new URL(route)
  if (organization) {
    url.searchParams.set('organization', organization.organization_id)
    url.searchParams.set('organization_name', organization.name)
  }
  return url.href
}
