/**
 * /account: what a person sees and changes of their own account. One page, rendered here, complete without JavaScript
 * except for what an authenticator is needed for.
 *
 * Seeing needs a sign-in. Changing needs a fresh one, with the second factor of whoever has one: a browser that was left
 * open, or a session that was stolen, must not become a key that lasts (OWASP ASVS 2.2.3, 4.3.1). Both are ordinary logins.
 */

import { addSeconds } from '@tenantry/kernel/clock.ts'
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { hashHandle, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Login } from '../login/login.ts'
import { environmentLook } from '../login/look.ts'
import { type PageName, sendPage } from '../login/pages.ts'
import type { Session } from '../login/sessions.ts'
import { problems as transactionProblems } from '../login/transactions.ts'
import { accountClient } from '../oauth/account-client.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import { readForm } from '../oauth/parameters.ts'
import { MULTI_FACTOR } from '../oauth/tokens/multi-factor.ts'
import * as users from '../resources/users/store.ts'
import { CHANGES } from './changes.ts'
import { type AccountDependencies, hasFactor, read } from './overview.ts'

/** How long a sign-in counts as fresh. */
const FRESH_SECONDS = 600

export interface Caller {
  request: FastifyRequest
  reply: FastifyReply
  session: Session
  user: users.UserWithConnection
  /** Whether changes may be made: signed in a moment ago, with the second factor of whoever has one. */
  isFresh: boolean
  /** Signed in with more than a password. */
  isStrong: boolean
}

/** What is told after a change; the names are texts of the page. */
export interface Told {
  done?: string
  refused?: string | undefined
  status?: number
  /** Another page than the account's: there is more to do before anything is changed. */
  page?: { name: PageName; values: Record<string, unknown> }
}

export const account = (deps: AccountDependencies & { login: Login }) => async (app: Api) => {
  const csrfOf = (session: Session): string =>
    deps.secrets.authenticate('account-csrf', session.id).toString('base64url')

  app.get('/account', async (request, reply) => {
    const caller = await callerOf(request, reply)
    if (!caller) return signIn(request, reply, [])
    const { done } = parseQuery(request.raw.url ?? '')
    return show(caller, done && Object.hasOwn(DONE, done) ? { done: DONE[done]! } : {})
  })

  // The step before a change: an ordinary sign-in, which always asks, and for a second factor of whoever has one.
  app.get('/account/confirm', async (request, reply) => {
    const caller = await callerOf(request, reply)
    const isAsked = caller && (await hasFactor(deps, request.environment.id, caller.user.user_id))
    return signIn(request, reply, ['login'], isAsked ? [MULTI_FACTOR] : [])
  })

  for (const { path, needsFresh, make } of CHANGES) {
    app.post(`/account/${path}`, { bodyLimit: 16 * 1024 }, async (request, reply) => {
      const caller = await callerOf(request, reply)
      if (!caller) return signIn(request, reply, [])
      const form = readForm(request.body)
      const { origin } = request.headers
      if (origin !== undefined && origin !== request.environment.origin) throw transactionProblems.cross_site_post()
      if (!form._csrf || !sameSecret(form._csrf, csrfOf(caller.session))) throw transactionProblems.cross_site_post()
      if (needsFresh && !caller.isFresh) return show(caller, { refused: 'confirm-first', status: 403 })
      const told = await make(deps, caller, form)
      if (told.page) return showOther(caller, told.page, told.status)
      if (told.refused) return show(caller, told)
      // Loading the page again repeats nothing.
      return reply.header('cache-control', 'no-store').redirect(`/account?done=${path.replaceAll('/', '-')}`, 303)
    })
  }

  const DONE: Readonly<Record<string, string>> = Object.fromEntries(
    CHANGES.flatMap(({ path, done }) => (done === undefined ? [] : [[path.replaceAll('/', '-'), done]])),
  )

  async function callerOf(request: FastifyRequest, reply: FastifyReply): Promise<Caller | undefined> {
    const session = await deps.login.sessions.read(request)
    if (!session) return undefined
    const user = await deps.database.inEnvironment(request.environment.id, (tx) => users.find(tx, session.user_id))
    if (!user) return undefined
    const isRecent = addSeconds(session.auth_time, FRESH_SECONDS) > deps.clock.now()
    const isStrong = session.amr.includes('mfa') || session.amr.includes('passkey')
    const isFresh = isRecent && (isStrong || !(await hasFactor(deps, request.environment.id, user.user_id)))
    return { request, reply, session, user, isFresh, isStrong }
  }

  function signIn(request: FastifyRequest, reply: FastifyReply, prompt: string[], acrValues: string[] = []) {
    const { environment } = request
    const asked: AuthorizationRequest = {
      client_id: accountClient(environment).client_id,
      redirect_uri: `${environment.origin}/account`,
      response_type: ['code'],
      response_mode: 'query',
      web_origin: undefined,
      issuer: environment.issuer,
      state: undefined,
      nonce: undefined,
      scope: [],
      audience: undefined,
      resource_server_identifier: undefined,
      code_challenge: undefined,
      dpop_jkt: undefined,
      prompt,
      max_age: undefined,
      acr_values: acrValues,
      organization_id: undefined,
      invitation_id: undefined,
      connection: undefined,
      login_hint: undefined,
      ui_locales: undefined,
      hinted_user_id: undefined,
      screen_hint: undefined,
    }
    return deps.login.begin(request, reply, accountClient(environment), asked)
  }

  const showOther = ({ request, reply, session }: Caller, page: NonNullable<Told['page']>, status = 200) => {
    const look = environmentLook(request.environment)
    const values = { ...page.values, csrf: csrfOf(session), application: look.application }
    return sendPage(reply, page.name, { status, look, values })
  }

  async function show(caller: Caller, { done, refused, status = 200 }: Told) {
    const { request, reply, session, isFresh } = caller
    const look = environmentLook(request.environment)
    const values = await read(deps, caller, hashHandle(`account/${session.id}`))
    return sendPage(reply, 'account', {
      status,
      look,
      values: { ...values, done, refused, is_fresh: isFresh, csrf: csrfOf(session), application: look.application },
    })
  }
}
