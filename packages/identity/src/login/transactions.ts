/**
 * A login under way. It is bound to the browser that began it (a `browser` cookie beside the `state` in the address), and
 * holds the request as it was accepted. Which page comes next follows from what is stored, never from what is posted.
 */

import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { ActionClaims } from '../oauth/grant-store.ts'
import { readCookie, setCookie } from './cookies.ts'
import type { Demand } from './factors/demand.ts'
import type { FactorName } from './factors/factor.ts'
import type { Absence } from './redirect-actions.ts'
import * as store from './store.ts'

/** How long a sign-in may take. */
export const LIFETIME_SECONDS = 3600

export const problems = defineProblems({
  login_transaction_expired: { status: 400, title: 'This sign-in has expired' },
  cross_site_post: { status: 403, title: 'This form was not sent from our page' },
})

export interface Transaction {
  state: string
  /** Hidden in each form; only this browser's pages of this transaction know it. */
  csrf: string
  request: AuthorizationRequest
  organizationId: string | undefined
  /** An invitation that waits to be accepted in this transaction. */
  invitationId: string | undefined
  /** What the steps have learned so far. */
  progress: Progress
  startedAt: Date
}

/** Each member is written by one step, in one statement, and only after what it says was proven. */
export interface Progress {
  /** What was typed into fields of the environment's own, by their names. */
  fields?: Record<string, string>
  /** What was typed to find the organization: it proves nothing, and saves typing it again. */
  typedEmail?: string
  /** Who was chosen to go on: who was signed in already, by id, or somebody else. */
  account?: string
  /** The person goes on without an organization. */
  isPersonal?: true
  /** Who signs in, where that is asked first: as it was typed, and not looked up. */
  identifier?: string
  /** For which organization, and who, has agreed on the page to what this request asks. */
  consented?: string
  /** Somebody signed up here, and the address waits to be proven. */
  signUp?: { email: string }
  /** To whom a code was sent, which proves nothing yet; by the API, it belongs to no login. */
  code?: { connection_id: string; recipient: string; by?: 'api' }
  /** The person says that the device is theirs. */
  deviceConfirmed?: true
  /** The browser said that it knows WebAuthn. */
  webauthn?: true
  /** The passkey that was used is one of another device. */
  passkeyFromElsewhere?: true
  passkeyOffer?: 'answered'
  factors?: FactorProgress
  decision?: ActionDecision
  absence?: Absence
}

/** Of the second factor. It counts for the person who is signed in, and for nobody who signs in after them. */
export interface FactorProgress {
  user_id: string
  passed: FactorName[]
  /** The method that was picked among those one has. */
  picked?: string
  /** What is being added: the factor, and the method once it is made. */
  adding?: { factor: FactorName; method?: string }
  /** The recovery code that was shown last. */
  recoveryCode?: string
}

/** What the Actions decided about this sign-in, kept while a second factor is asked for: they run once. */
export interface ActionDecision {
  user_id: string
  organization_id: string | null
  claims: ActionClaims
  demands: Demand[]
  methods: string[]
  /** What ran, for the tenant log. */
  executions: string[]
}

/** A request that may need no page at all: nothing is stored for it yet. */
export const unstored = (asked: AuthorizationRequest, now: Date): Transaction => ({
  state: '',
  csrf: '',
  request: asked,
  organizationId: asked.organization_id,
  invitationId: asked.invitation_id,
  progress: {},
  startedAt: now,
})

export interface Transactions {
  /** @param startedAt sign-ins from then on count as made in it */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    asked: AuthorizationRequest,
    startedAt: Date,
  ): Promise<Transaction>
  /** @throws Problem `login_transaction_expired` for a transaction of another browser, too */
  resume(request: FastifyRequest, state: string | undefined): Promise<Transaction>
  /** @throws Problem `cross_site_post` */
  checkPost(request: FastifyRequest, transaction: Transaction, csrf: string | undefined): void
  /** @returns the transaction, now of this organization */
  choose(request: FastifyRequest, transaction: Transaction, organizationId: string): Promise<Transaction>
  /** @returns the transaction with the given members of its progress replaced */
  note(request: FastifyRequest, transaction: Transaction, learned: Partial<Progress>): Promise<Transaction>
  /** @returns a new handle with which the person comes back, once; the one before is worth nothing any more */
  awaitReturn(request: FastifyRequest, transaction: Transaction): Promise<string>
  /**
   * @param state `{state of the transaction}.{handle}`
   * @throws Problem `login_transaction_expired` for a handle that was used, and for another browser
   */
  comeBack(request: FastifyRequest, state: string | undefined): Promise<{ transaction: Transaction; from: Absence }>
  end(environmentId: string, state: string): Promise<void>
}

export function createTransactions(deps: { database: Database; secrets: Secrets; clock: Clock }): Transactions {
  const { database, clock } = deps
  const csrfOf = (state: string, browser: string) =>
    deps.secrets.authenticate('login-csrf', `${state}.${browser}`).toString('base64url')
  function opened(
    { environment }: FastifyRequest,
    row: store.TransactionRow | undefined,
    state: string,
    browser: string,
  ): Transaction {
    if (!row || row.request.issuer !== environment.issuer) throw problems.login_transaction_expired()
    return {
      state,
      csrf: csrfOf(state, browser),
      request: row.request,
      organizationId: row.organization_id ?? undefined,
      invitationId: row.invitation_id ?? undefined,
      progress: row.progress,
      startedAt: row.created_at,
    }
  }

  return {
    async begin(request, reply, asked, startedAt) {
      const browser = readCookie(request, 'browser') ?? randomHandle()
      const state = randomHandle()
      const environmentId = request.environment.id
      await database.once(environmentId, (tx) =>
        store.insertTransaction(tx, environmentId, {
          state_hash: hashHandle(state),
          browser_hash: hashHandle(browser),
          request: asked,
          organization_id: asked.organization_id ?? null,
          invitation_id: asked.invitation_id ?? null,
          created_at: startedAt,
          expires_at: addSeconds(clock.now(), LIFETIME_SECONDS),
        }),
      )
      setCookie(request, reply, 'browser', browser, 24 * LIFETIME_SECONDS)
      return { ...unstored(asked, startedAt), state, csrf: csrfOf(state, browser) }
    },

    async resume(request, state) {
      const browser = readCookie(request, 'browser')
      if (!state || !browser) throw problems.login_transaction_expired()
      const [row] = await database.once(request.environment.id, (tx) =>
        store.readTransaction(tx, hashHandle(state), hashHandle(browser), clock.now()),
      )
      return opened(request, row, state, browser)
    },

    async awaitReturn(request, transaction) {
      const handle = randomHandle()
      await database.once(request.environment.id, (tx) =>
        store.awaitReturn(tx, hashHandle(transaction.state), hashHandle(handle)),
      )
      return handle
    },

    async comeBack(request, given) {
      const browser = readCookie(request, 'browser')
      const [state, handle] = given?.split('.') ?? []
      if (!state || !handle || !browser) throw problems.login_transaction_expired()
      const [row] = await database.once(request.environment.id, (tx) =>
        store.redeemReturn(tx, hashHandle(state), hashHandle(browser), hashHandle(handle), clock.now()),
      )
      return { transaction: opened(request, row, state, browser), from: row!.absence }
    },

    checkPost(request, transaction, csrf) {
      const { origin } = request.headers
      if (origin !== undefined && origin !== request.environment.origin) throw problems.cross_site_post()
      if (!csrf || !sameSecret(csrf, transaction.csrf)) throw problems.cross_site_post()
    },

    async choose(request, transaction, organizationId) {
      if (transaction.state !== '') {
        await database.once(request.environment.id, (tx) =>
          store.chooseOrganization(tx, hashHandle(transaction.state), organizationId),
        )
      }
      return { ...transaction, organizationId }
    },

    async note(request, transaction, learned) {
      await database.once(request.environment.id, (tx) =>
        store.noteProgress(tx, hashHandle(transaction.state), learned),
      )
      return { ...transaction, progress: { ...transaction.progress, ...learned } }
    },

    end: async (environmentId, state) =>
      void (await database.once(environmentId, (tx) => store.endTransaction(tx, hashHandle(state)))),
  }
}
