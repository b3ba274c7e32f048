/**
 * Actions around an account. What runs before a registration may deny it, and fails closed; what runs after something has
 * happened can neither hold it up nor undo it.
 */
import { applyPreUserRegistration, type PreUserRegistrationEffect } from '../../actions/pre-user-registration.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { LogEntry } from '../../logs/tenant-log.ts'
import { clientEvent, connectionEvent, presentMembers, requestEvent } from '../actions/event.ts'
import { requireSuccess, type Triggered } from '../actions/triggered.ts'

/** Where it happens, and who asks. */
export interface Occasion {
  environment: RequestEnvironment
  asker: { ip: string; user_agent: string | null }
  connection: Parameters<typeof connectionEvent>[0]
  client?: Parameters<typeof clientEvent>[0]
  /** What was said in the request, without the password. */
  body?: Record<string, unknown> | undefined
  /** Of the sign-in in which it happens. */
  transaction?: object | undefined
}

/** A row, or what was said of oneself; Actions see the members that Auth0 shows. */
interface Person {
  user_id?: string
  email?: string | null
  phone_number?: string | null
  last_password_reset?: Date | null
  user_metadata?: object
  app_metadata?: object
}

export interface AccountActions {
  /** @throws Problem `action_failed` */
  beforeRegistration(occasion: Occasion, user: Person): Promise<PreUserRegistrationEffect>
  afterRegistration(occasion: Occasion, user: Person): void
  afterPasswordChange(occasion: Occasion, user: Person): void
}

/** What an Action may know before there is an account. */
const SAID = [
  'email',
  'username',
  'phone_number',
  'name',
  'nickname',
  'given_name',
  'family_name',
  'picture',
  'user_metadata',
  'app_metadata',
]
const MADE = [...SAID, 'user_id', 'email_verified', 'phone_verified', 'last_password_reset', 'created_at', 'updated_at']
const OF_PASSWORD_CHANGE = [
  'user_id',
  'email',
  'email_verified',
  'username',
  'phone_number',
  'phone_verified',
  'last_password_reset',
]

const membersOf = (user: Person, names: readonly string[]) =>
  presentMembers(Object.fromEntries(Object.entries(user).filter(([name]) => names.includes(name))))

function commonEvent({ environment, asker, connection, transaction, body }: Occasion) {
  const {
    body: said,
    query: _,
    ...request
  } = requestEvent(environment, {
    ip: asker.ip,
    method: 'POST',
    userAgent: asker.user_agent ?? undefined,
    ...(body ? { body } : {}),
  })
  return {
    connection: connectionEvent(connection),
    request: { ...request, ...(body ? { body: said } : {}) },
    ...(transaction ? { transaction } : {}),
  }
}

const aboutOf = ({ connection, client }: Occasion, { user_id, email }: Person): Partial<LogEntry> => ({
  connection: connection.name,
  connection_id: connection.id,
  ...(client ? { client_id: client.client_id, client_name: client.name } : {}),
  user_id: user_id ?? null,
  user_name: email ?? null,
})

export function createAccountActions(triggered: Triggered): AccountActions {
  return {
    async beforeRegistration(occasion, user) {
      const ran = await triggered.run(
        occasion.environment,
        'pre-user-registration',
        () => ({
          ...commonEvent({ ...occasion, body: occasion.body ?? {} }),
          ...(occasion.client ? { client: clientEvent(occasion.client) } : {}),
          user: membersOf(user, SAID),
        }),
        aboutOf(occasion, { email: user.email ?? null }),
      )
      return applyPreUserRegistration(ran ? requireSuccess(ran).commands : [])
    },
    afterRegistration: (occasion, user) =>
      triggered.later(
        occasion.environment,
        'post-user-registration',
        () => ({ ...commonEvent({ ...occasion, body: undefined }), user: membersOf(user, MADE) }),
        aboutOf(occasion, user),
      ),
    afterPasswordChange: (occasion, user) =>
      triggered.later(
        occasion.environment,
        'post-change-password',
        () => ({
          ...commonEvent({ ...occasion, body: undefined, transaction: undefined }),
          user: membersOf(user, OF_PASSWORD_CHANGE),
        }),
        aboutOf(occasion, user),
      ),
  }
}
