/**
 * The `login_ticket` of Auth0: somebody has proven who they are to a page of the client's own, and the browser takes that
 * to /authorize. It is bound to a cookie of that browser, so that whoever reads it from an address can do nothing with it,
 * and nobody is signed in as somebody else by following a link.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { readCookie, setCookie } from '../../login/cookies.ts'
import * as login from '../../login/store.ts'
import * as store from './store.ts'

/** The page may have something to do before it goes on. */
const LIFETIME_SECONDS = 120

/** Somebody who has proven who they are, as a session begins with it. */
export interface Proven {
  userId: string
  connectionId: string
  amr: string[]
  proof: login.Proof
}

interface TicketDependencies {
  database: Database
  clock: Clock
}

const proofHash = (passwordHash: string | null): Buffer => hashHandle(passwordHash ?? '')

/** @returns the ticket; only its hash is kept */
export async function keepLoginTicket(
  { database, clock }: TicketDependencies,
  reply: FastifyReply,
  clientId: string,
  { userId, connectionId, amr, proof }: Proven,
): Promise<string> {
  const { environment } = reply.request
  const [ticket, browser] = [randomHandle(), randomHandle()]
  await database.once(environment.id, (tx) =>
    store.insert(tx, environment.id, {
      ticket_hash: hashHandle(ticket),
      browser_hash: hashHandle(browser),
      client_id: clientId,
      user_id: userId,
      connection_id: connectionId,
      amr,
      provider: proof.provider,
      identity_id: proof.identity_id,
      proof_hash: proofHash(proof.password_hash),
      issuer: environment.issuer,
      expires_at: addSeconds(clock.now(), LIFETIME_SECONDS),
    }),
  )
  setCookie(reply.request, reply, 'cross-origin', browser, LIFETIME_SECONDS)
  return ticket
}

/** Uses a ticket up. @returns undefined for one that is used, expired, another client's or another browser's */
export async function redeemLoginTicket(
  { database, clock }: TicketDependencies,
  request: FastifyRequest,
  clientId: string,
  ticket: string,
): Promise<Proven | undefined> {
  const { environment } = request
  const browser = readCookie(request, 'cross-origin')
  if (!browser) return undefined
  return database.inEnvironment(environment.id, async (tx) => {
    const wanted = {
      ticket_hash: hashHandle(ticket),
      browser_hash: hashHandle(browser),
      client_id: clientId,
      issuer: environment.issuer,
    }
    const [row] = await store.take(tx, wanted, clock.now())
    if (!row) return undefined
    const [current] = await login.currentHash(tx, { ...row, password_hash: null })
    if (!current || !proofHash(current.password_hash).equals(row.proof_hash)) return undefined
    const { user_id: userId, connection_id: connectionId, amr, provider, identity_id } = row
    return { userId, connectionId, amr, proof: { provider, identity_id, ...current } }
  })
}
