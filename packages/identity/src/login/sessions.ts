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
  'id' | 'user_id' | 'connection_id' | 'email' | 'auth_time' | 'amr' | 'mfa_at' | 'session_metadata'
>

/** Seconds; Auth0's defaults. Kept in hours, minutes as parts of one. */
function limits(settings: EnvironmentSettings, isPersistent: boolean): { whole: number; idle: number } {
  const [whole, idle] = isPersistent
    ? [settings.session_lifetime ?? 168, settings.idle_session_lifetime ?? 72]
    : [settings.ephemeral_session_lifetime ?? 72, settings.idle_ephemeral_session_lifetime ?? 24]
  return { whole: Math.round(whole * 3600), idle: Math.round(idle * 3600) }
}

/** When it ends by the settings of now. They can shorten a session that is under way, and not lengthen it. */
function ends(session: store.SessionRow, settings: EnvironmentSettings) {
  const { whole, idle } = limits(settings, session.is_persistent)
  const idleSeconds = Math.min(session.idle_seconds ?? idle, idle)
  return { expiresAt: addSeconds(session.created_at, whole), idleSeconds }
}

const userAgentOf = (request: FastifyRequest): string | null => request.headers['user-agent']?.slice(0, 400) ?? null

export interface Sessions {
  read(request: FastifyRequest): Promise<Session | undefined>
  /**
   * Signs the browser in under a new identifier, in its session if that is the same person's. Undefined when the person was
   * blocked, or what they proved was changed or taken away, since it was checked.
   */
  start(
    request: FastifyRequest,
    reply: FastifyReply,
    person: { userId: string; connectionId: string; amr: string[]; proof?: store.Proof | undefined },
  ): Promise<Session | undefined>
  /**
   * A second factor was passed: the same session goes on under a new identifier (CWE-384). Undefined when it was ended
   * meanwhile.
   */
  raise(request: FastifyRequest, reply: FastifyReply, session: Session, factor: string): Promise<Session | undefined>
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
      if (!session) return undefined
      const { expiresAt, idleSeconds } = ends(session, settings)
      if (expiresAt <= now || addSeconds(session.last_seen, idleSeconds) <= now) {
        await database.once(id, (tx) => store.deleteSession(tx, hashHandle(handle), 'session-expired'))
        return undefined
      }
      // Use extends the idle lifetime; once a minute is enough to know it, more often where it is not much longer.
      const pause = Math.min(60, idleSeconds / 10) * 1000
      if (now.getTime() - session.last_seen.getTime() > pause) {
        await database.once(id, (tx) =>
          store.touchSession(tx, session.id, {
            now,
            idleExpiresAt: addSeconds(now, idleSeconds),
            expiresAt,
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
      const isPersistent = settings.session_cookie?.mode !== 'non-persistent'
      const { whole, idle } = limits(settings, isPersistent)
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
        idle_expires_at: addSeconds(now, Math.min(idle, whole)),
        expires_at: addSeconds(now, whole),
        is_persistent: isPersistent,
        idle_seconds: idle,
      }
      const [started] = await database.once(environmentId, (tx) =>
        store.beginSession(tx, environmentId, row, old ? hashHandle(old) : undefined, proof),
      )
      if (!started) return undefined
      setCookie(request, reply, 'session', handle, isPersistent ? whole : undefined)
      return {
        id: started.id,
        user_id: userId,
        connection_id: connectionId,
        email: null,
        auth_time: now,
        amr,
        mfa_at: null,
        session_metadata: started.session_metadata,
      }
    },

    async raise(request, reply, session, factor) {
      const environmentId = request.environment.id
      const old = readCookie(request, 'session')
      if (!old) return undefined
      const handle = randomHandle()
      const now = clock.now()
      const amr = [...new Set([...session.amr, factor, 'mfa'])]
      const [raised] = await database.once(environmentId, (tx) =>
        store.raiseSession(
          tx,
          { id: session.id, handleHash: hashHandle(old) },
          { handleHash: hashHandle(handle), amr, now },
        ),
      )
      if (!raised) return undefined
      const left = Math.round((raised.expires_at.getTime() - now.getTime()) / 1000)
      setCookie(request, reply, 'session', handle, raised.is_persistent ? left : undefined)
      return { ...session, amr, mfa_at: now }
    },

    async end(request, reply) {
      const handle = readCookie(request, 'session')
      if (handle)
        await database.once(request.environment.id, (tx) => store.deleteSession(tx, hashHandle(handle), 'rp-logout'))
      clearCookie(request, reply, 'session')
    },
  }
}
