/** What the account page shows. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { shortDate } from '../delivery/dates.ts'
import { deviceName } from '../login/device-name.ts'
import type { Factors } from '../login/factors/factors.ts'
import type { Lockout } from '../login/lockout.ts'
import { languageOf } from '../login/pages.ts'
import { type Enrollment, offerEnrollment, passkeyConnections } from '../login/passkeys.ts'
import { PASSKEY } from '../login/webauthn/ceremonies.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import { ACCOUNT_CLIENT_ID } from '../oauth/account-client.ts'
import type { Configuration } from '../oauth/configuration.ts'
import type { RefuseLeaked } from '../resources/attack-protection/leaks.ts'
import type { ReadGuardian } from '../resources/guardian/settings.ts'
import { invitationUrl, openTicket } from '../resources/organizations/invitations/rules.ts'
import type { AccountActions } from '../resources/users/account-actions.ts'
import { METHOD_TYPES } from '../resources/users/authentication-methods/rules.ts'
import * as methods from '../resources/users/authentication-methods/store.ts'
import { passwordLimits, passwordRules } from '../upstream/database/policy.ts'
import type { Caller } from './account.ts'
import { mayAddApp } from './authenticator-app.ts'
import * as store from './store.ts'

export interface AccountDependencies {
  database: Database
  configuration: Configuration
  secrets: Secrets
  clock: Clock
  tenantLog: TenantLog
  lockout: Lockout
  refuseLeaked: RefuseLeaked
  guardian: ReadGuardian
  accountActions: AccountActions
  factors: Factors
}

/** Whether a second factor can be asked of somebody: one that is confirmed, of a kind that the environment uses. */
export async function hasFactor(deps: AccountDependencies, environmentId: string, userId: string): Promise<boolean> {
  const types = (await deps.guardian(environmentId)).factors.map((name) => METHOD_TYPES[name])
  if (types.length === 0) return false
  const confirmed = await deps.database.inEnvironment(environmentId, (tx) => methods.listConfirmed(tx, userId))
  return confirmed.some(({ type }) => types.includes(type) && type !== 'recovery-code')
}

/** The connection in which a person has a password here, if they have one. */
export async function passwordConnection(deps: AccountDependencies, { request, user }: Caller) {
  if (user.password_hash === null) return undefined
  const all = await deps.configuration.connections(request.environment.id, ACCOUNT_CLIENT_ID, undefined)
  return all.find(({ id, strategy }) => id === user.connection_id && strategy === 'auth0')
}

export const enrollmentOf = ({ request }: Caller, holder: Buffer): Enrollment => ({
  environment: request.environment,
  holder,
  purpose: 'enrollment',
  type: 'passkey',
  demands: PASSKEY,
})

/** Whether a person may have passkeys: their own connection says so. */
export async function mayHavePasskeys(deps: AccountDependencies, { request, user }: Caller): Promise<boolean> {
  const all = await deps.configuration.connections(request.environment.id, ACCOUNT_CLIENT_ID, undefined)
  return passkeyConnections(all).some(({ id }) => id === user.connection_id)
}

export async function read(deps: AccountDependencies, caller: Caller, holder: Buffer) {
  const { request, session, user, isFresh } = caller
  const { environment } = request
  const now = deps.clock.now()
  const date = (day: Date) => shortDate(day, languageOf(request))
  const [found, own, mayAdd, app] = await Promise.all([
    deps.database.inEnvironment(environment.id, async (tx) => ({
      methods: await methods.listConfirmed(tx, user.user_id),
      sessions: await store.sessions(tx, user.user_id, now),
      organizations: await store.organizations(tx, user.user_id),
      invitations: await store.invitations(tx, user.user_id, now),
    })),
    passwordConnection(deps, caller),
    mayHavePasskeys(deps, caller),
    isFresh && mayAddApp(deps, caller),
  ])
  const person = {
    userId: user.user_id,
    name: user.email ?? user.username ?? user.user_id,
    displayName: user.name ?? user.email ?? user.user_id,
  }
  return {
    name: user.name ?? user.email ?? user.username,
    email: user.email,
    has_password: own !== undefined,
    ...(own ? { password_rules: passwordRules(own.options), ...passwordLimits(own.options) } : {}),
    passkeys: mayAdd,
    may_add_app: app,
    options: mayAdd && isFresh ? JSON.stringify(await offerEnrollment(deps, enrollmentOf(caller, holder), person)) : '',
    methods: found.methods.map(({ id, type, name, email, phone_number, created_at, last_auth_at }) => ({
      id,
      type,
      name: name ?? email ?? (phone_number && `···· ${phone_number.slice(-4)}`),
      may_rename: type === 'passkey' || type.startsWith('webauthn'),
      added: date(created_at),
      used: last_auth_at && date(last_auth_at),
    })),
    sessions: found.sessions.map(({ id, user_agent, ip, last_seen }) => ({
      id,
      device: deviceName(user_agent),
      ip,
      seen: date(last_seen),
      is_this: id === session.id,
    })),
    organizations: found.organizations,
    invitations: found.invitations.flatMap((row) => {
      const route = row.initiate_login_uri ?? environment.settings.default_redirection_uri
      const organization = { id: row.organization_id, name: row.name }
      const url = invitationUrl(route, organization, openTicket(deps.secrets, environment.id, row))
      const { display_name, inviter, expires_at } = row
      return url ? [{ display_name, inviter: inviter.name, expires: date(expires_at), url }] : []
    }),
  }
}
