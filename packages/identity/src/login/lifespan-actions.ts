/**
 * The session and the refresh token in which post-login Actions run: what Actions see of them, and what they change. They
 * end things earlier, never later than the settings do.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Command } from '../actions/commands.ts'
import { type LifespanChanges, lifespanChanges } from '../actions/lifespan.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { LogEntry, TenantLog } from '../logs/tenant-log.ts'
import { problems as oauthProblems } from '../oauth/problems.ts'
import type { AskedEnds } from '../oauth/tokens/refresh.ts'
import { actionFailed } from '../resources/actions/triggered.ts'
import { revokeGrant } from '../resources/grants/store.ts'
import { changedTexts, MOST_TEXTS } from '../resources/metadata.ts'
import { shown as shownToken } from '../resources/refresh-tokens/rules.ts'
import * as tokens from '../resources/refresh-tokens/store.ts'
import { shown as shownSession } from '../resources/sessions/rules.ts'
import * as sessions from '../resources/sessions/store.ts'

export interface Held {
  /** In which it happens; it may be over. */
  sessionId?: string | null
  /** Of the refresh token that is being exchanged. */
  grantId?: string
}

/** What the caller has to see to: it knows the tokens that are issued. */
export interface HeldEffect {
  ends: AskedEnds
  /** For the first refresh token of a sign-in. */
  metadata?: Record<string, string>
}

/** A run, as far as its failures and the log name it. */
interface Run {
  environment: RequestEnvironment
  executionId: string
  about: Partial<LogEntry>
}

export function createLifespans(deps: { database: Database; clock: Clock; tenantLog: TenantLog }) {
  const { database, clock, tenantLog } = deps

  const tooMuch = ({ executionId }: Run, what: string) =>
    actionFailed(executionId, `${what}: more than ${MOST_TEXTS} members of metadata`)

  /** @returns why it was revoked, if it was */
  async function changeSession(run: Run, id: string, { revoked, metadata, ...ends }: LifespanChanges) {
    const now = clock.now()
    await database.inEnvironment(run.environment.id, async (tx) => {
      if (metadata && !(await sessions.changeMetadata(tx, id, metadata, now))) throw tooMuch(run, 'session')
      if (ends.expiresAt || ends.idleExpiresAt) await sessions.shorten(tx, id, ends, now)
      if (revoked && (await sessions.find(tx, id, now)))
        await sessions.end(tx, id, { keepTokens: revoked.keepTokens, now })
    })
    return revoked?.reason
  }

  async function changeToken(run: Run, id: string, { revoked, metadata, ...ends }: LifespanChanges) {
    if (!revoked && !metadata && !ends.expiresAt && !ends.idleExpiresAt) return undefined
    const { environment, about } = run
    await database.inEnvironment(environment.id, async (tx) => {
      if (metadata && !(await tokens.changeMetadata(tx, id, metadata))) throw tooMuch(run, 'refresh token')
      if (ends.expiresAt || ends.idleExpiresAt) await tokens.shorten(tx, id, ends)
      if (revoked) await revokeGrant(tx, id, clock.now())
    })
    if (revoked) tenantLog.add(environment.id, { ...about, type: 'srrt', description: revoked.reason })
    return revoked?.reason
  }

  return {
    /** Members of the event; what is over is absent. */
    async seen({ id, issuer }: RequestEnvironment, { sessionId, grantId }: Held): Promise<object> {
      if (!sessionId && !grantId) return {}
      return database.inEnvironment(id, async (tx) => {
        const session = sessionId ? await sessions.find(tx, sessionId, clock.now()) : undefined
        const token = grantId ? await tokens.findOfGrant(tx, grantId) : undefined
        return {
          ...(session ? { session: sessionEvent(session) } : {}),
          ...(token ? { refresh_token: tokenEvent(token, issuer) } : {}),
        }
      })
    },
    /** @throws Problem `access_denied` for what is revoked, `action_failed` for too much metadata */
    async change(run: Run, { sessionId, grantId }: Held, commands: readonly Command[]): Promise<HeldEffect> {
      const ofSession = lifespanChanges(commands, 'session')
      const ofToken = lifespanChanges(commands, 'refreshToken') ?? {}
      const { metadata, expiresAt, idleExpiresAt } = ofToken
      const first = metadata && !grantId ? changedTexts(null, metadata) : { texts: null }
      if (!first) throw tooMuch(run, 'refresh token')
      // What is revoked is refused when all is done: an Action may revoke both.
      const reasons = [
        ofSession && sessionId ? await changeSession(run, sessionId, ofSession) : undefined,
        grantId ? await changeToken(run, grantId, ofToken) : undefined,
      ]
      const reason = reasons.find((given) => given !== undefined)
      if (reason !== undefined) throw oauthProblems.access_denied({ facts: { reason } })
      const ends = { ...(expiresAt ? { expiresAt } : {}), ...(idleExpiresAt ? { idleExpiresAt } : {}) }
      return { ends, ...(first.texts ? { metadata: first.texts } : {}) }
    },
  }
}

/** As the API shows them, under the names that Actions know. */
function sessionEvent(row: sessions.SessionRow) {
  const { authentication: _, session_metadata, ...session } = shownSession(row)
  return { ...session, ...(session_metadata ? { metadata: session_metadata } : {}) }
}

function tokenEvent(row: tokens.RefreshTokenRow, issuer: string) {
  const { user_id: _, refresh_token_metadata: metadata, ...token } = shownToken(row, issuer)
  return { ...token, ...(metadata ? { metadata } : {}) }
}
