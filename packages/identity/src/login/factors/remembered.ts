/**
 * Browsers in which a person is not asked for a second factor again for thirty days. The cookie alone is worth nothing:
 * it counts for the person who passed a factor with it, in this environment.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { readCookie, setCookie } from '../cookies.ts'
import * as store from './factor-store.ts'

const SECONDS = 30 * 86_400

interface Dependencies {
  database: Database
  clock: Clock
}

export async function isRemembered({ database, clock }: Dependencies, request: FastifyRequest, userId: string) {
  const handle = readCookie(request, 'remembered')
  if (!handle) return false
  const found = await database.once(request.environment.id, (tx) =>
    store.isRemembered(tx, hashHandle(handle), userId, clock.now()),
  )
  return found.length > 0
}

export async function remember(
  { database, clock }: Dependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  userId: string,
): Promise<void> {
  // Whoever else uses this browser is remembered under the new handle, too: one from before may have been taken along, or
  // planted, to be let in with it as this person (CWE-384).
  const old = readCookie(request, 'remembered')
  const handle = randomHandle()
  const now = clock.now()
  await database.once(request.environment.id, (tx) =>
    store.rememberBrowser(
      tx,
      request.environment.id,
      { handle_hash: hashHandle(handle), user_id: userId, created_at: now, expires_at: addSeconds(now, SECONDS) },
      old ? hashHandle(old) : null,
    ),
  )
  setCookie(request, reply, 'remembered', handle, SECONDS)
}
