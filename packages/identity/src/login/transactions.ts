/**
 * A login under way. It is bound to the browser that began it (a `browser` cookie beside the `state` in the address), and
 * holds the request as it was accepted. Which page comes next follows from what is stored, never from what is posted.
 */

import { createHmac } from 'node:crypto'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import { readCookie, setCookie } from './cookies.ts'
import * as store from './store.ts'

const LIFETIME_SECONDS = 3600

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
  startedAt: Date
}

/** A request that may need no page at all: nothing is stored for it yet. */
export const unstored = (asked: AuthorizationRequest, now: Date): Transaction => ({
  state: '',
  csrf: '',
  request: asked,
  organizationId: asked.organization_id,
  invitationId: asked.invitation_id,
  startedAt: now,
})

export interface Transactions {
  begin(request: FastifyRequest, reply: FastifyReply, asked: AuthorizationRequest): Promise<Transaction>
  /** @throws Problem `login_transaction_expired` for a transaction of another browser, too */
  resume(request: FastifyRequest, state: string | undefined): Promise<Transaction>
  /** @throws Problem `cross_site_post` */
  checkPost(request: FastifyRequest, transaction: Transaction, csrf: string | undefined): void
  choose(request: FastifyRequest, transaction: Transaction, organizationId: string | undefined): Promise<void>
  end(environmentId: string, state: string): Promise<void>
}

export function createTransactions(deps: { database: Database; secrets: Secrets; clock: Clock }): Transactions {
  const { database, clock } = deps
  const key = deps.secrets.deriveKey('login-csrf')
  const csrfOf = (state: string, browser: string) =>
    createHmac('sha256', key).update(`${state}.${browser}`).digest('base64url')
  return {
    async begin(request, reply, asked) {
      const browser = readCookie(request, 'browser') ?? randomHandle()
      const state = randomHandle()
      const now = clock.now()
      const environmentId = request.environment.id
      await database.once(environmentId, (tx) =>
        store.insertTransaction(tx, environmentId, {
          state_hash: hashHandle(state),
          browser_hash: hashHandle(browser),
          request: asked,
          organization_id: asked.organization_id ?? null,
          invitation_id: asked.invitation_id ?? null,
          created_at: now,
          expires_at: addSeconds(now, LIFETIME_SECONDS),
        }),
      )
      setCookie(request, reply, 'browser', browser, 24 * LIFETIME_SECONDS)
      return { ...unstored(asked, now), state, csrf: csrfOf(state, browser) }
    },

    async resume(request, state) {
      const browser = readCookie(request, 'browser')
      if (!state || !browser) throw problems.login_transaction_expired()
      const [row] = await database.once(request.environment.id, (tx) =>
        store.readTransaction(tx, hashHandle(state), hashHandle(browser), clock.now()),
      )
      if (!row || row.request.issuer !== request.environment.issuer) throw problems.login_transaction_expired()
      return {
        state,
        csrf: csrfOf(state, browser),
        request: row.request,
        organizationId: row.organization_id ?? undefined,
        invitationId: row.invitation_id ?? undefined,
        startedAt: row.created_at,
      }
    },

    checkPost(request, transaction, csrf) {
      const { origin } = request.headers
      if (origin !== undefined && origin !== request.environment.origin) throw problems.cross_site_post()
      if (!csrf || !sameSecret(csrf, transaction.csrf)) throw problems.cross_site_post()
    },

    async choose(request, transaction, organizationId) {
      await database.once(request.environment.id, (tx) =>
        store.chooseOrganization(tx, hashHandle(transaction.state), organizationId ?? null),
      )
    },

    end: async (environmentId, state) =>
      void (await database.once(environmentId, (tx) => store.endTransaction(tx, hashHandle(state)))),
  }
}
