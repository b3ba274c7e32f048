import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import type { Client } from '../../oauth/configuration.ts'
import * as store from '../../oauth/device/store.ts'
import type { ActionClaims, Grant } from '../../oauth/grant-store.ts'
import { problems } from '../../oauth/problems.ts'
import { readCookie } from '../cookies.ts'

/**
 * A device may have its tokens: the code that this browser holds is approved once.
 *
 * @throws Problem `access_denied` when the code has run out, was used, or the session was ended meanwhile
 */
export async function approveDevice(
  { database, clock }: { database: Database; clock: Clock },
  request: FastifyRequest,
  { id }: { id: string },
  grant: Grant & { session_id: string },
  claims: ActionClaims,
): Promise<void> {
  const browserHash = hashHandle(readCookie(request, 'browser') ?? '')
  const made = await database.once(request.environment.id, (tx) =>
    store.approve(tx, request.environment.id, { id, browserHash, grant, claims, now: clock.now() }),
  )
  if (made.length === 0) throw problems.access_denied({ facts: { reason: 'The code of the device has run out.' } })
}

/** It may not: the device is told at its next question. */
export async function denyDevice(
  { database, tenantLog }: { database: Database; tenantLog: TenantLog },
  request: FastifyRequest,
  client: Pick<Client, 'client_id' | 'name'>,
  { id }: { id: string },
): Promise<void> {
  const browserHash = hashHandle(readCookie(request, 'browser') ?? '')
  await database.once(request.environment.id, (tx) => store.deny(tx, id, browserHash))
  const about = { client_id: client.client_id, client_name: client.name, ...asker(request) }
  tenantLog.add(request.environment.id, { type: 'fdeac', ...about })
}
