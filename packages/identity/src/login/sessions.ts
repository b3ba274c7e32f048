/** A browser's sign-in. It knows who, when and how; in which organization is the grant's matter. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { EnvironmentSettings } from '../environments/environment.ts'
import { clearCookie, readCookie, setCookie } from './cookies.ts'
import * as store from './store.ts'

export type Session = Pick<
  store.SessionRow,
  'id' | 'user_id' | 'connection_id' | 'email' | 'auth_time' | 'amr' | 'session_metadata'
>

const HOUR = 3600
/** Auth0's defaults: 168 hours in all, 72 without use. Minutes are kept as parts of an hour. */
const lifetime = (settings: EnvironmentSettings) => Math.round((settings.session_lifetime ?? 168) * HOUR)
const idleLifetime = (settings: EnvironmentSettings) => Math.round((settings.idle_session_lifetime ?? 72) * HOUR)

const userAgentOf = (request: FastifyRequest): string | null => request.headers['user-agent']?.slice(0, 400) ?? null

export interface Sessions {
  read(request: FastifyRequest): Promise<Session | undefined>
  /**
   * Signs the browser in under a new identifier. Undefined when the person was blocked, or what they proved was changed
   * or taken away, since it was checked.
   */
  start(
    request: FastifyRequest,
    reply: FastifyReply,
    person: { userId: string; connectionId: string; amr: string[]; proof?: store.Proof | undefined },
  ): Promise<Session | undefined>
  end(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

export function createSessions({ database, clock }: { database: Database; clock: Clock }): Sessions {
  return {
    async read(request) {
      const handle = readCookie(request, 'session')
      if (!handle) return undefined
      const { id, settings } = request.environment
      const now = clock.now()
      const [session] = await database.once(id, (tx) => store.readSession(tx, hashHandle(handle), now))
      // Use extends the idle lifetime; once a minute is enough to know it.
      if (session && now.getTime() - session.last_seen.getTime() > 60_000) {
        await database.once(id, (tx) =>
          store.touchSession(tx, session.id, {
            now,
            idleExpiresAt: addSeconds(now, idleLifetime(settings)),
            ip: request.ip,
            userAgent: userAgentOf(request),
          }),
        )
      }
      return session
    },

    async start(request, reply, { userId, connectionId, amr, proof }) {
      const { id: environmentId, settings } = request.environment
      const now = clock.now()
      const handle = randomHandle()
      const old = readCookie(request, 'session')
      const row: store.NewSession = {
        id: newId.session(),
        handle_hash: hashHandle(handle),
        user_id: userId,
        connection_id: connectionId,
        auth_time: now,
        amr,
        ip: request.ip,
        user_agent: userAgentOf(request),
        created_at: now,
        last_seen: now,
        idle_expires_at: addSeconds(now, idleLifetime(settings)),
        expires_at: addSeconds(now, lifetime(settings)),
      }
      const [started] = await database.once(environmentId, (tx) =>
        store.replaceSession(tx, environmentId, row, old ? hashHandle(old) : undefined, proof),
      )
      if (!started) return undefined
      setCookie(request, reply, 'session', handle, lifetime(settings))
      return {
        id: row.id,
        user_id: userId,
        connection_id: connectionId,
        email: null,
        auth_time: now,
        amr,
        session_metadata: null,
      }
    },

    async end(request, reply) {
      const handle = readCookie(request, 'session')
      if (handle) await database.once(request.environment.id, (tx) => store.deleteSession(tx, hashHandle(handle)))
      clearCookie(request, reply, 'session')
    },
  }
}
