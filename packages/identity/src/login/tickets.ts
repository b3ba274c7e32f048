/**
 * The pages behind tickets: proving an address, choosing a password. They need no login under way: the ticket in the
 * address is the proof, and works once.
 *
 * Opening a link uses nothing up, only the button does. Mail scanners and previews open every link of a mail before a
 * person does; a ticket that a GET consumed would be used up by them, and an address proven that nobody read.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outbox } from '../delivery/outbox.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import type { Configuration } from '../oauth/configuration.ts'
import { readForm } from '../oauth/parameters.ts'
import { createCounters } from '../resources/attack-protection/counters.ts'
import type { RefuseLeaked } from '../resources/attack-protection/leaks.ts'
import * as connections from '../resources/connections/store.ts'
import { sendWelcome } from '../resources/tickets/mail.ts'
import * as store from '../resources/tickets/store.ts'
import * as blocks from '../resources/user-blocks/store.ts'
import type { AccountActions } from '../resources/users/account-actions.ts'
import * as identities from '../resources/users/identities/store.ts'
import { refusalOfPassword } from '../resources/users/passwords/rules.ts'
import * as passwords from '../resources/users/passwords/store.ts'
import { identityOf } from '../resources/users/rules.ts'
import * as users from '../resources/users/store.ts'
import { hashPassword, verifyPassword } from '../upstream/database/password.ts'
import { demandsOf, passwordLimits, passwordRules } from '../upstream/database/policy.ts'
import { readCookie } from './cookies.ts'
import type { Lockout } from './lockout.ts'
import { environmentLook, lookOf } from './look.ts'
import { sendPage } from './pages.ts'
import { takesResets } from './password-reset.ts'
import type { Sessions } from './sessions.ts'
import { forgetTries, recordLogin } from './store.ts'
import { problems as transactionProblems } from './transactions.ts'
import { dropPasskeys } from './webauthn/store.ts'

export interface TicketDependencies {
  database: Database
  configuration: Configuration
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
  sessions: Sessions
  lockout: Pick<Lockout, 'admit' | 'triesOf'>
  secrets: Secrets
  refuseLeaked: RefuseLeaked
  accountActions: AccountActions
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

type Done = 'email-verification-result' | 'reset-password-success'

const VERIFIED = 'Your email was verified. You can continue using the application.'
const CHANGED = 'You can now log in to the application with the new password.'

export const ticketPages = (deps: TicketDependencies) => async (app: Api) => {
  const { database, clock, tenantLog } = deps

  app.get('/u/email-verification', async (request, reply) =>
    showVerification(await open(request, reply, 'email_verification', queryTicket(request))),
  )
  app.post('/u/email-verification', { bodyLimit: 16 * 1024 }, async (request, reply) => {
    const form = formOf(request)
    return verify(await open(request, reply, 'email_verification', form.ticket), form)
  })
  app.get('/u/reset-verify', async (request, reply) =>
    showPassword(await open(request, reply, 'password_change', queryTicket(request))),
  )
  app.post('/u/reset-verify', { bodyLimit: 16 * 1024 }, async (request, reply) => {
    const form = formOf(request)
    return changePassword(await open(request, reply, 'password_change', form.ticket), form)
  })

  app.get('/u/unblock', async (request, reply) =>
    show(await open(request, reply, 'unblock', queryTicket(request)), 'unblock', {}),
  )
  app.post('/u/unblock', { bodyLimit: 16 * 1024 }, async (request, reply) =>
    unblock(await open(request, reply, 'unblock', formOf(request).ticket)),
  )

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
    if (user && kind !== 'unblock') {
      const description = 'The link was used already, has run out, or was made for another address.'
      tenantLog.add(request.environment.id, { type, description, ...who(user), ...asker(request) })
    }
    return problems.ticket_unusable()
  }

  function showVerification(opened: Opened, values: { refused?: string } = {}, status = 200) {
    const { email } = opened.ticket
    return show(opened, 'email-verification', { email, asks_password: asksPassword(opened), ...values }, status)
  }

  async function verify(opened: Opened, form: Readonly<Record<string, string>>) {
    const { request, ticket, handle } = opened
    const { environment } = request
    const { password_hash: chosen } = ticket
    if (chosen !== null && asksPassword(opened)) {
      const tried = await tryPassword(opened, chosen, form.password ?? '')
      if (tried === 'too_many') {
        opened.reply.header('retry-after', '900')
        return showVerification(opened, { refused: 'too-many-tries' }, 429)
      }
      if (tried === 'wrong') return showVerification(opened, { refused: 'wrong-password' }, 400)
    }
    const now = clock.now()
    const client = await clientOf(opened)
    const done = await database.inEnvironment(environment.id, async (tx) => {
      if (!(await store.redeem(tx, hashHandle(handle), 'email_verification', now))) return undefined
      const user = await users.get(tx, ticket.user_id)
      const email = ticket.email!
      const proven = await store.verifyEmail(tx, ticket.user_id, email, now)
      const settled = chosen !== null && (await store.settleSignUp(tx, ticket.user_id, chosen, now))
      if (settled) await recordLogin(tx, ticket.user_id, now, request.ip)
      if (proven) await sendWelcome(deps, tx, { environment, user: { ...user, email }, client })
      return { ...user, settled }
    })
    if (!done) throw refused(request, 'email_verification', opened.user)
    tenantLog.add(environment.id, { type: 'sv', ...who(done), ...asker(request) })
    if (!done.settled) return leave(opened, VERIFIED, 'email-verification-result')
    await deps.sessions.start(request, opened.reply, {
      userId: done.user_id,
      connectionId: done.connection_id,
      amr: ['pwd'],
      proof: { ...identityOf(done.user_id), password_hash: chosen },
    })
    return leave(opened, VERIFIED, 'email-verification-result', { signed_up: true })
  }

  /** With the limits of the sign-in: the link alone must not be a place to guess. */
  async function tryPassword({ request, ticket }: Opened, chosen: string, typed: string) {
    const { id } = request.environment
    if (!(await deps.lockout.admit(id, ticket.email!, request.ip))) return 'too_many'
    if (!(await verifyPassword(chosen, typed.slice(0, 1024)))) return 'wrong'
    const tries = await deps.lockout.triesOf(id, ticket.email!, request.ip)
    await database.once(id, (tx) => forgetTries(tx, tries))
    return 'right'
  }

  async function showPassword(opened: Opened, refusal?: string, status = 200) {
    const { options } = await connectionOf(opened)
    const rules = { password_rules: passwordRules(options), ...passwordLimits(options) }
    return show(opened, 'reset-verify', { email: opened.ticket.email, refused: refusal, ...rules }, status)
  }

  async function changePassword(opened: Opened, form: Readonly<Record<string, string>>) {
    const { request, ticket, handle, user } = opened
    const { environment } = request
    const password = form.password ?? ''
    const connection = await connectionOf(opened)
    const { options, id: connection_id, name } = connection
    const linked = linkedOf(ticket)
    const about = { ...who(user), connection: name, connection_id, ...asker(request) }
    const asked = {
      environmentId: environment.id,
      options,
      plain: password,
      person: user,
      userId: user.user_id,
      linked,
      about,
    }
    const violation = await refusalOfPassword(deps, asked)
    const refusal = violation?.name ?? (password === form.confirm ? undefined : 'password-mismatch')
    if (refusal) return showPassword(opened, refusal, 400)
    // Hashing takes as long as many queries: no transaction is held open for it.
    const hash = await hashPassword(password)
    const now = clock.now()
    const done = await database.inEnvironment(environment.id, async (tx) => {
      if (!(await store.redeem(tx, hashHandle(handle), 'password_change', now))) return false
      await passwords.remember(tx, environment.id, ticket.user_id, demandsOf(options).history, now, linked)
      await store.setPassword(tx, ticket, hash, now)
      const isProven =
        ticket.mark_email_as_verified &&
        ticket.email !== null &&
        (await store.verifyEmail(tx, ticket.user_id, ticket.email, now))
      // Whoever signed up with an address that is not theirs may have left a passkey, which would outlive the new password.
      if (isProven) await dropPasskeys(tx, ticket.user_id)
      // Whoever knew the old one is out, and no other link sets it back.
      await users.endAccess(tx, ticket.user_id, now, 'password-changed')
      // Guesses were at the old one; whoever forgot it has often used up their tries before they came here.
      await liftBlocks(tx, ticket.user_id)
      return true
    })
    if (!done) throw refused(request, 'password_change', user)
    tenantLog.add(environment.id, { type: 'scp', ...about })
    const occasion = { environment, asker: asker(request), connection }
    deps.accountActions.afterPasswordChange(occasion, { ...user, last_password_reset: now })
    return leave(opened, CHANGED, 'reset-password-success')
  }

  /** Whatever names this account, linked identities too, may be tried again, from everywhere. */
  async function liftBlocks(tx: Tx, userId: string) {
    const counters = createCounters(deps.secrets)
    const names = await blocks.identifiersOf(tx, userId)
    await blocks.clearAccounts(
      tx,
      names.map(({ identifier }) => counters.account(identifier)),
    )
  }

  async function unblock(opened: Opened) {
    const { request, ticket, handle, user } = opened
    const done = await database.inEnvironment(request.environment.id, async (tx) => {
      if (!(await store.redeem(tx, hashHandle(handle), 'unblock', clock.now()))) return false
      await liftBlocks(tx, ticket.user_id)
      return true
    })
    if (!done) throw refused(request, 'unblock', user)
    tenantLog.add(request.environment.id, { type: 'ublkdu', ...who(user), ...asker(request) })
    return show(opened, 'unblock-success', {})
  }

  /** The one that the password is for. */
  const connectionOf = ({ request, user, ticket }: Opened) =>
    database.inEnvironment(request.environment.id, async (tx) => {
      const named = linkedOf(ticket)
      const linked = named && (await identities.findDatabaseIdentity(tx, named))
      return connections.get(tx, linked?.connection_id ?? user.connection_id)
    })

  const clientOf = ({ request, ticket }: Opened) =>
    ticket.client_id ? deps.configuration.client(request.environment.id, ticket.client_id) : undefined

  const organizationOf = ({ request, ticket }: Opened) =>
    ticket.organization_id ? deps.configuration.organization(request.environment.id, ticket.organization_id) : undefined

  async function show(
    opened: Opened,
    page: 'email-verification' | 'reset-verify' | 'unblock' | 'unblock-success' | Done,
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
  async function leave(opened: Opened, message: string, page: Done, values: { signed_up?: boolean } = {}) {
    const { reply, ticket } = opened
    if (ticket.result_url) {
      const target = new URL(ticket.result_url)
      const connection = await connectionOf(opened)
      const told = {
        supportSignUp: String(connection.options.disable_signup === false),
        supportForgotPassword: String(takesResets(connection)),
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
    return show(opened, page, { ...values, continueTo: loginRoute(client?.initiate_login_uri, organization) })
  }
}

/**
 * A sign-up is confirmed by whoever chose its password: in the browser in which they did, or with it. The owner of an
 * address with which a stranger signed up would otherwise let that stranger in.
 */
function asksPassword({ request, ticket }: Opened): boolean {
  if (ticket.password_hash === null || ticket.browser_hash === null) return false
  const browser = readCookie(request, 'browser')
  return browser === undefined || !hashHandle(browser).equals(ticket.browser_hash)
}

/** The linked identity that a ticket is for, if it is for one. */
const linkedOf = ({ provider, identity_id }: store.TicketRow) =>
  provider !== null && identity_id !== null ? { provider, identity_id } : undefined

const queryTicket = (request: FastifyRequest): string | undefined => parseQuery(request.raw.url ?? '').ticket

/** @throws Problem `cross_site_post` for a form of another site; the ticket itself is what no other site knows */
function formOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const { origin } = request.headers
  if (origin !== undefined && origin !== request.environment.origin) throw transactionProblems.cross_site_post()
  return readForm(request.body)
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
