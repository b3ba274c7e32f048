/** What a person can change about their account. Each change knows whether it needs a fresh sign-in. */
import { Problem } from '@tenantry/kernel/problem.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { enroll } from '../login/passkeys.ts'
import { checkPassword } from '../login/password-check.ts'
import { asker, type LogEntry } from '../logs/tenant-log.ts'
import { ACCOUNT_CLIENT_ID } from '../oauth/account-client.ts'
import * as sessions from '../resources/sessions/store.ts'
import * as methods from '../resources/users/authentication-methods/store.ts'
import { refusalOfPassword } from '../resources/users/passwords/rules.ts'
import * as passwords from '../resources/users/passwords/store.ts'
import { hashPassword } from '../upstream/database/password.ts'
import { demandsOf } from '../upstream/database/policy.ts'
import type { Caller, Told } from './account.ts'
import { about, beginApp, confirmApp } from './authenticator-app.ts'
import { type AccountDependencies, enrollmentOf, mayHavePasskeys, passwordConnection } from './overview.ts'
import * as store from './store.ts'

type Form = Readonly<Record<string, string>>

interface Change {
  /** POST /account/{path} */
  path: string
  /** The text that tells of it afterwards; absent where a page follows first. */
  done?: string
  needsFresh: boolean
  make(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told>
}

const log = (deps: AccountDependencies, caller: Caller, entry: LogEntry) =>
  deps.tenantLog.add(caller.request.environment.id, { ...about(caller), ...entry })

async function changePassword(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told> {
  const { request, user, session } = caller
  const { id: environmentId } = request.environment
  const connection = await passwordConnection(deps, caller)
  if (!connection || !user.email) return { refused: 'gone', status: 400 }
  // The same check, and the same limits on guessing, as where people sign in; before the new password is looked at, since
  // that one is compared with earlier ones.
  const attempt = {
    environmentId,
    client: { client_id: ACCOUNT_CLIENT_ID, name: 'Account' },
    organizationId: undefined,
    asker: asker(request),
    isConfirmation: true,
  }
  const checked = await checkPassword(deps, attempt, [connection], user.email, form.current ?? '')
  if (checked.outcome === 'too_many') return { refused: 'too-many-tries', status: 429 }
  // One that is known from a leak is what has to be changed.
  if ((checked.outcome !== 'right' && checked.outcome !== 'leaked') || checked.userId !== user.user_id)
    return { refused: 'wrong-password', status: 400 }
  const next = form.password ?? ''
  const violation = await refusalOfPassword(deps, {
    environmentId,
    options: connection.options,
    plain: next,
    person: user,
    userId: user.user_id,
    about: about(caller),
  })
  const unfit = violation?.name ?? (next === form.confirm ? undefined : 'password-mismatch')
  if (unfit) return { refused: unfit, status: 400 }
  const hash = await hashPassword(next)
  const now = deps.clock.now()
  const changed = await deps.database.inEnvironment(environmentId, async (tx) => {
    const old = checked.proof.password_hash
    await passwords.remember(tx, environmentId, user.user_id, demandsOf(connection.options).history, now)
    const [replaced] = await store.replacePassword(tx, user.user_id, { old, next: hash }, now)
    if (!replaced) return false
    await store.endOthers(tx, user.user_id, session.id, now)
    await store.dropPasswordLinks(tx, user.user_id)
    return true
  })
  if (!changed) return { refused: 'wrong-password', status: 400 }
  log(deps, caller, { type: 'scp' })
  const occasion = { environment: request.environment, asker: asker(request), connection }
  deps.accountActions.afterPasswordChange(occasion, { ...user, last_password_reset: now })
  return {}
}

async function addPasskey(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told> {
  const { request, session, user } = caller
  if (!(await mayHavePasskeys(deps, caller))) return { refused: 'gone', status: 400 }
  const enrollment = enrollmentOf(caller, hashHandle(`account/${session.id}`))
  const userAgent = request.headers['user-agent']
  const made = await enroll(deps, enrollment, { userId: user.user_id, given: form.passkey, userAgent })
  if (made.refused !== undefined) {
    log(deps, caller, { type: 'gd_webauthn_enrollment_failed', description: made.refused })
    return { refused: 'passkey-creation-failed', status: 400 }
  }
  const details = { authenticator: 'passkey', authentication_method: made.id }
  log(deps, caller, { type: 'gd_enrollment_complete', details })
  return {}
}

async function rename(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told> {
  const name = (form.name ?? '').trim()
  if (name === '' || name.length > 100) return { refused: 'invalid-name', status: 400 }
  const [renamed] = await deps.database.once(caller.request.environment.id, (tx) =>
    methods.rename(tx, caller.user.user_id, form.id ?? '', name),
  )
  return renamed ? {} : { refused: 'gone', status: 400 }
}

async function remove(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told> {
  const { request, user } = caller
  const [removed] = await deps.database.inEnvironment(request.environment.id, (tx) =>
    methods.remove(tx, user.user_id, form.id ?? ''),
  )
  if (!removed) return { refused: 'gone', status: 400 }
  log(deps, caller, { type: 'gd_unenroll', details: { authentication_method: removed.id } })
  return {}
}

async function endSession(deps: AccountDependencies, caller: Caller, form: Form): Promise<Told> {
  const { request, user } = caller
  const now = deps.clock.now()
  try {
    await deps.database.inEnvironment(request.environment.id, (tx) =>
      sessions.end(tx, form.id ?? '', { userId: user.user_id, keepTokens: false, now }),
    )
  } catch (error) {
    if (error instanceof Problem && error.code === 'inexistent_session') return { refused: 'gone', status: 400 }
    throw error
  }
  log(deps, caller, { type: 'slo', description: 'A session was ended by its person' })
  return {}
}

async function endOtherSessions(deps: AccountDependencies, caller: Caller): Promise<Told> {
  const { request, user, session } = caller
  await deps.database.inEnvironment(request.environment.id, (tx) =>
    store.endOthers(tx, user.user_id, session.id, deps.clock.now()),
  )
  log(deps, caller, { type: 'slo', description: 'All other sessions were ended by their person' })
  return {}
}

export const CHANGES: readonly Change[] = [
  { path: 'password', done: 'passwordChangedText', needsFresh: true, make: changePassword },
  { path: 'passkeys', done: 'passkeyAddedText', needsFresh: true, make: addPasskey },
  { path: 'authenticator/begin', needsFresh: true, make: beginApp },
  { path: 'authenticator', done: 'appAddedText', needsFresh: true, make: confirmApp },
  { path: 'methods/rename', done: 'methodRenamedText', needsFresh: true, make: rename },
  { path: 'methods/remove', done: 'methodRemovedText', needsFresh: true, make: remove },
  // Ending gives nobody anything.
  { path: 'sessions/end', done: 'sessionEndedText', needsFresh: false, make: endSession },
  { path: 'sessions/end-others', done: 'sessionsEndedText', needsFresh: false, make: endOtherSessions },
]
