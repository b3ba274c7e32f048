/**
 * Universal Login: a small state machine over a stored transaction.
 *
 *   /authorize --begin--> organization? --> sign-in or invitation --> which organization? --> Actions --> second factor?
 *     --> consent? --> finish --> back to the client
 *
 *   page                    comes when                                          leads on when
 *   /u/device/confirmation  somebody typed what a device shows                  they say that it is theirs
 *   /u/login/accounts       the request wants it, and somebody is signed in      they or somebody else is chosen
 *   /u/organization         the client requires one, and none was named         the name or the address fits
 *   /u/invitation           the request carries an invitation                    joined
 *   /u/login                nobody is signed in, or a fresh sign-in was asked    the password or passkey fits
 *   /u/login/code           as before, where there are no passwords              a code was sent, and then typed
 *   /u/signup               as before, and the application begins with it        the account is made
 *   /u/login/identifier     as /u/login, where the address is asked first         something is typed
 *   /u/login/password       … and then the password                             it fits
 *   /u/reset-password/…     the person asks for it: a forgotten password         never; a mail leads on
 *   /u/organization/picker  the client lets people choose after the sign-in      one is chosen
 *   /u/redirect             an Action sends the person away                      they come back to /continue
 *   /u/mfa-…                a second factor is demanded and was not given yet    the code fits, or a factor is added
 *   /u/passkey-enrollment   the person could have a passkey and has none      answered, either way
 *   /u/consent              the client, its API or the request wants it          the person agrees
 *
 * Pages never lead to one another: each returns to `proceed`, which decides from what is stored. A page that is asked for
 * out of turn leads to the one whose turn it is.
 */

import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outbox } from '../delivery/outbox.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import { ACCOUNT_CLIENT_ID, accountClient } from '../oauth/account-client.ts'
import type { ResponseChannel } from '../oauth/authorize/checks.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import { respond } from '../oauth/authorize/respond.ts'
import type { Client } from '../oauth/configuration.ts'
import { readForm } from '../oauth/parameters.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import type { RefuseLeaked } from '../resources/attack-protection/leaks.ts'
import type { ReadGuardian } from '../resources/guardian/settings.ts'
import type { AccountActions } from '../resources/users/account-actions.ts'
import type { Factors } from './factors/factors.ts'
import { serveFiles } from './files.ts'
import { type FinishDependencies, finishLogin } from './finish.ts'
import type { Lockout } from './lockout.ts'
import { lookOf } from './look.ts'
import { type PageName, sendPage } from './pages.ts'
import { noteFields } from './partial-fields.ts'
import { mayStandInPopup } from './popup.ts'
import { addressOf, isOf, type Returned, serveContinue } from './redirect-actions.ts'
import { createRefusals } from './refusals.ts'
import { createSessions, type Session, type Sessions } from './sessions.ts'
import { OTHER } from './steps/account-picker.ts'
import { decisionOf } from './steps/factors/pending.ts'
import { codeChallenge } from './steps/passwordless.ts'
import { createTransactions, type Progress, type Transaction, type Transactions, unstored } from './transactions.ts'
import { dueAfterActions, EVERY_STEP, firstDue } from './turns.ts'
import { afterArrival, createUsableSession } from './usable-session.ts'

export interface LoginDependencies extends FinishDependencies {
  secrets: Secrets
  lockout: Lockout
  refuseLeaked: RefuseLeaked
  outbox: Outbox
  guardian: ReadGuardian
  factors: Factors
  accountActions: AccountActions
  tenantLog: TenantLog
}

export interface Login {
  sessions: Sessions
  /** From a checked request to a page, or straight to the client when nothing is left to ask. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    client: Client,
    asked: AuthorizationRequest,
    /** Who has proven who they are on the way here; `nobody`, where that failed and somebody must. */
    arrival?: Parameters<Sessions['start']>[2] | 'nobody',
  ): Promise<FastifyReply>
  /** To the page on which a code that the API has sent is used up, with it in its field: opening it uses nothing up. */
  beginWithCode(
    request: FastifyRequest,
    reply: FastifyReply,
    client: Client,
    asked: AuthorizationRequest,
    sent: { connection_id: string; recipient: string },
    code: string,
  ): Promise<FastifyReply>
  refuseInvitation(
    reply: FastifyReply,
    client: Client,
    channel: ResponseChannel,
    /** The one that the invitation is for, by id or name, if that is known. */
    organization: string | undefined,
    problem: Problem,
  ): Promise<FastifyReply>
  /** The pages themselves. */
  routes(app: Api): Promise<void>
}

/** What a step is given. */
export interface Visit {
  request: FastifyRequest
  reply: FastifyReply
  client: Client
  transaction: Transaction
  session: Session | undefined
}

/** How a sign-in came to its end. */
interface Way {
  /** No form of ours was posted on the way: the answer may lead to an address that our policy for forms does not know. */
  isFree?: boolean
  returned?: Returned
}

export interface StepTools extends LoginDependencies {
  sessions: Sessions
  transactions: Transactions
  /** Renders a page of this transaction in the look of the client and the organization. */
  show(
    visit: Visit,
    page: PageName,
    values: Record<string, unknown>,
    status?: number,
    images?: string[],
  ): Promise<FastifyReply>
  /** On to whatever comes next. */
  proceed(visit: Visit): Promise<FastifyReply>
  /**
   * Where every first factor ends: the person is proven, the browser gets a session, and the login goes on.
   * (No reply comes back: one that is awaited is undefined once it was sent.)
   *
   * @returns whether the answer was sent; false when the person was blocked, or what was proven was taken away, meanwhile
   */
  signIn(visit: Visit, person: Parameters<Sessions['start']>[2]): Promise<boolean>
  /** The person does not want it: the client is told, or the device at its next question. */
  decline(visit: Visit, problem: Problem): Promise<FastifyReply>
  refuseInvitation(visit: Visit, problem: Problem): Promise<FastifyReply>
}

export interface Step {
  /** Its page: /u/{name}. */
  name: string
  /** What a silent request is told when this step would be needed (OpenID Connect Core §3.1.2.6). */
  silently: 'login_required' | 'interaction_required' | 'consent_required' | 'second_factor_required'
  /** The visit as it goes on where only one answer is possible: nobody is asked then, silent requests included. */
  answer?(tools: StepTools, visit: Visit): Promise<Visit | undefined>
  /** Whether it is this step's turn. */
  isDue(visit: Visit, tools: StepTools): boolean | Promise<boolean>
  /** Pages of one station are ways to one end: while one of them is due, the others may be opened instead. */
  station?: 'sign-in'
  /** Whether the page is there at all, where that depends. */
  isOffered?(visit: Visit, tools: StepTools): boolean | Promise<boolean>
  /** Whether it may be opened although it is not its turn: a way back. */
  mayReturn?(visit: Visit, tools: StepTools): boolean | Promise<boolean>
  show(tools: StepTools, visit: Visit): Promise<FastifyReply>
  submit(tools: StepTools, visit: Visit, form: Readonly<Record<string, string>>): Promise<FastifyReply>
}

export function createLogin(deps: LoginDependencies): Login {
  const sessions = createSessions(deps)
  const transactions = createTransactions(deps)
  const usableSession = createUsableSession({ ...deps, sessions })
  const { lockout } = deps

  /** What of the organization is known, and how its pages look. */
  async function ofOrganization({ environment }: FastifyRequest, client: Client, idOrName: string | undefined) {
    const found = idOrName ? await deps.configuration.organization(environment.id, idOrName) : undefined
    return { found, look: lookOf(environment, client, found) }
  }
  const { refuse, decline, refuseInvitation } = createRefusals({ ...deps, transactions }, ofOrganization)

  const show: StepTools['show'] = async (visit, page, values, status = 200, images = []) => {
    const { client, transaction, request, reply } = visit
    const { found, look } = await ofOrganization(request, client, transaction.organizationId)
    return sendPage(reply, page, {
      status,
      look,
      about: { client, organization: found },
      redirectUri: transaction.request.redirect_uri,
      uiLocales: transaction.request.ui_locales,
      inPopup: mayStandInPopup(client, transaction.request),
      images,
      values: {
        ...values,
        organization: found && { name: found.name, display_name: found.display_name },
        application: client.name,
        state: transaction.state,
        csrf: transaction.csrf,
      },
    })
  }

  const finish = async (visit: Visit, session: Session, way: Way = {}): Promise<FastifyReply> => {
    const { request, reply, client, transaction } = visit
    const asked = transaction.request
    if (client.client_id === ACCOUNT_CLIENT_ID) return finishAtAccount(visit, session)
    try {
      const outcome = await finishLogin(deps, {
        request,
        client,
        asked,
        session,
        organizationId: transaction.organizationId,
        state: transaction.state,
        fields: transaction.progress.fields,
        decision: decisionOf(visit),
        returned: way.returned,
        dueAfter: (decision) => dueAfterActions(visit, decision, tools),
      })
      if ('decision' in outcome) return proceed(await keep(visit, { decision: outcome.decision }))
      if ('absence' in outcome) {
        const away = await keep(visit, { absence: outcome.absence })
        if (!way.isFree) return proceed(away)
        return reply.header('cache-control', 'no-store').redirect(await addressOf(tools, away), 302)
      }
      const isEnded = !transaction.state || outcome.code !== undefined
      if (!isEnded) await transactions.end(request.environment.id, transaction.state)
      if (asked.device) return reply.header('cache-control', 'no-store').redirect('/device/success', 303)
      return respond(reply, asked, request.environment.issuer, outcome)
    } catch (error) {
      return refuse(visit, error)
    }
  }

  /** Our own page reads the session: there is nothing to grant, and no code to carry. */
  const finishAtAccount = async ({ request, reply, transaction }: Visit, session: Session) => {
    const { id } = request.environment
    if (transaction.state) await transactions.end(id, transaction.state)
    const { user_id, connection_id } = session
    deps.tenantLog.add(id, { type: 's', ...asker(request), user_id, user_name: session.email, connection_id })
    return reply.header('cache-control', 'no-store').redirect('/account', request.method === 'POST' ? 303 : 302)
  }

  /** What the Actions have decided is kept: they run once in a sign-in, and it goes on with another page. */
  const keep = async (visit: Visit, learned: Pick<Progress, 'decision' | 'absence'>): Promise<Visit> => {
    const { request, reply, transaction: known } = visit
    const { organizationId } = known
    let stored = known.state ? known : await transactions.begin(request, reply, known.request, known.startedAt)
    if (organizationId && organizationId !== stored.organizationId)
      stored = await transactions.choose(request, stored, organizationId)
    return { ...visit, transaction: await transactions.note(request, stored, learned) }
  }

  const proceed: StepTools['proceed'] = async (from) => {
    let found: Awaited<ReturnType<typeof firstDue>>
    try {
      found = await firstDue(from, tools)
    } catch (error) {
      return refuse(from, error)
    }
    const { visit, due } = found
    if (!due) return finish(visit, visit.session!)
    const status = visit.request.method === 'POST' ? 303 : 302
    return visit.reply
      .header('cache-control', 'no-store')
      .redirect(`/u/${due.name}?state=${visit.transaction.state}`, status)
  }

  const tools: StepTools = {
    ...deps,
    sessions,
    transactions,
    lockout,
    show,
    proceed,
    async signIn(visit, person) {
      const session = await sessions.start(visit.request, visit.reply, person)
      if (!session) return false
      const { request, transaction } = visit
      const isChoice = transaction.request.prompt.includes('select_account')
      const noted = isChoice ? await transactions.note(request, transaction, { account: person.userId }) : transaction
      await proceed({ ...visit, session, transaction: noted })
      return true
    },
    decline,
    refuseInvitation: ({ reply, client, transaction }, problem) =>
      refuseInvitation(reply, client, transaction.request, transaction.organizationId, problem),
  }

  return {
    sessions,

    async begin(request, reply, client, given, arrival) {
      const arrived = arrival && arrival !== 'nobody' ? await sessions.start(request, reply, arrival) : undefined
      const asked = arrival ? { ...given, prompt: afterArrival(given.prompt, arrived) } : given
      const session = await usableSession(request, client, asked, asked.organization_id, { arrived })
      const nothingStored = unstored(asked, arrived?.auth_time ?? deps.clock.now())
      const visit = { request, reply, client, transaction: nothingStored, session }
      const { visit: answered, due } = await firstDue(visit, tools)
      if (due && asked.prompt.includes('none')) throw oauthProblems[due.silently]()
      if (!due) return finish(answered, answered.session!, { isFree: true })
      const transaction = await transactions.begin(request, reply, asked, nothingStored.startedAt)
      return proceed({ ...visit, transaction })
    },

    async beginWithCode(request, reply, client, given, sent, code) {
      // Whoever is signed in already is not who proves an address now.
      const asked = { ...given, prompt: afterArrival(given.prompt, undefined).filter((value) => value !== 'none') }
      const begun = await transactions.begin(request, reply, asked, deps.clock.now())
      const transaction = await transactions.note(request, begun, { code: { ...sent, by: 'api' } })
      const visit = { request, reply, client, transaction, session: undefined }
      const { due } = await firstDue(visit, tools)
      if (due !== codeChallenge) return proceed(visit)
      const query = new URLSearchParams({ state: transaction.state, code })
      return reply.header('cache-control', 'no-store').redirect(`/u/${codeChallenge.name}?${query}`, 302)
    },

    refuseInvitation,

    async routes(app) {
      serveFiles(app)
      serveContinue(app, async (request, reply, state, said) => {
        const { transaction, from } = await transactions.comeBack(request, state)
        const { visit, due } = await firstDue(await visitOf(request, reply, transaction), tools)
        if (due) return proceed(visit)
        // Of somebody else, or for another organization, the Actions run from the beginning.
        const returned = isOf(from, visit) ? { returned: { from, ...said } } : {}
        return finish(visit, visit.session!, { isFree: true, ...returned })
      })
      for (const step of EVERY_STEP) {
        app.get(`/u/${step.name}`, async (request, reply) => {
          const { visit, isOpen } = await arrive(
            step,
            await resume(request, reply, parseQuery(request.raw.url ?? '').state),
          )
          return isOpen ? step.show(tools, visit) : proceed(visit)
        })
        app.post(`/u/${step.name}`, { bodyLimit: 16 * 1024 }, async (request, reply) => {
          const form = readForm(request.body)
          const resumed = await resume(request, reply, form.state)
          transactions.checkPost(request, resumed.transaction, form._csrf)
          const { visit, isOpen } = await arrive(
            step,
            await noteFields(transactions, await noteBrowser(resumed, form), form),
          )
          if (!isOpen) return proceed(visit)
          // What is done in a step may run Actions: those before a registration.
          return step.submit(tools, visit, form).catch((error) => {
            if (toProblem(error).code === 'action_failed') return refuse(visit, error)
            throw error
          })
        })
      }
    },
  }

  async function arrive(step: Step, resumed: Visit): Promise<{ visit: Visit; isOpen: boolean }> {
    const { visit, due } = await firstDue(resumed, tools)
    if (due === step) return { visit, isOpen: true }
    const isSameStation = due?.station !== undefined && due.station === step.station
    const opens = isSameStation ? (step.isOffered?.(visit, tools) ?? true) : step.mayReturn?.(visit, tools)
    return { visit, isOpen: (await opens) ?? false }
  }

  /** What only a script of the page can know. */
  async function noteBrowser(visit: Visit, form: Readonly<Record<string, string>>): Promise<Visit> {
    if (form['webauthn-available'] !== 'true' || visit.transaction.progress.webauthn) return visit
    return { ...visit, transaction: await transactions.note(visit.request, visit.transaction, { webauthn: true }) }
  }

  async function resume(request: FastifyRequest, reply: FastifyReply, state: string | undefined): Promise<Visit> {
    return visitOf(request, reply, await transactions.resume(request, state))
  }

  async function visitOf(request: FastifyRequest, reply: FastifyReply, transaction: Transaction): Promise<Visit> {
    const { client_id } = transaction.request
    const client =
      client_id === ACCOUNT_CLIENT_ID
        ? accountClient(request.environment)
        : await deps.configuration.client(request.environment.id, client_id)
    if (!client)
      throw oauthProblems.invalid_request({ facts: { reason: 'This application is not known here any more.' } })
    const { request: asked, organizationId, startedAt } = transaction
    const isOther = transaction.progress.account === OTHER
    const session = await usableSession(request, client, asked, organizationId, { startedAt, isOther })
    return { request, reply, client, transaction, session }
  }
}
