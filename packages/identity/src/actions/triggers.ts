import type { Command } from './commands.ts'
import { seenAfter as scopesAndClaims } from './credentials-exchange.ts'
import { actionProblems } from './problems.ts'
import { seenAfter as transactionMetadata } from './transaction-metadata.ts'

export type TriggerId =
  | 'post-login'
  | 'credentials-exchange'
  | 'pre-user-registration'
  | 'post-user-registration'
  | 'post-change-password'

export interface Trigger {
  readonly id: TriggerId
  /** The first one is current; what was written for an older one runs the same way. */
  readonly versions: readonly [string, ...string[]]
  /** The function that an action exports for this trigger. */
  readonly handler: string
  /** The one that goes on when the person returns from where the action sent them. */
  readonly continuation?: string
  /** Labels of Auth0's runtimes, the default first. All of them run on the one engine that is here. */
  readonly runtimes: readonly [string, ...string[]]
  /** Methods of `api` that record a command, with the names of their arguments in it. All of them return `api`. */
  readonly methods: Readonly<Record<string, readonly string[]>>
  /** Methods with an answer that is known before the run, and what it is unless the run says otherwise. */
  readonly answers: Readonly<Record<string, boolean>>
  /** Methods, or whole groups, that change something, and the member of the event that it is: absent, they throw. */
  readonly needs: Readonly<Record<string, string>>
  /** Documented by Auth0, not honoured here: calling one throws, and the run fails closed. */
  readonly unavailable: readonly string[]
  /** The event for later actions of a chain, where it holds what earlier ones asked for. Without it all see the same. */
  readonly seenAfter?: (event: Record<string, unknown>, commands: readonly Command[]) => Record<string, unknown>
}

const group = (name: string, methods: string): string[] => methods.split(' ').map((method) => `${name}.${method}`)

const postLogin: Trigger = {
  id: 'post-login',
  versions: ['v3', 'v2'],
  handler: 'onExecutePostLogin',
  continuation: 'onContinuePostLogin',
  runtimes: ['node22', 'node18'],
  methods: {
    'access.deny': ['reason'],
    'idToken.setCustomClaim': ['key', 'value'],
    'accessToken.setCustomClaim': ['key', 'value'],
    'accessToken.addScope': ['scope'],
    'accessToken.removeScope': ['scope'],
    'user.setUserMetadata': ['key', 'value'],
    'user.setAppMetadata': ['key', 'value'],
    'multifactor.enable': ['provider', 'options'],
    'authentication.challengeWith': ['factor', 'options'],
    'authentication.challengeWithAny': ['factors'],
    'authentication.enrollWith': ['factor', 'options'],
    'authentication.enrollWithAny': ['factors'],
    'authentication.recordMethod': ['provider_url'],
    'redirect.sendUserTo': ['url', 'options'],
    'transaction.setMetadata': ['key', 'value'],
    'validation.error': ['errorCode', 'errorMessage'],
    'session.revoke': ['reason', 'options'],
    'session.setExpiresAt': ['absolute'],
    'session.setIdleExpiresAt': ['inactivity'],
    'session.setMetadata': ['key', 'value'],
    'session.deleteMetadata': ['key'],
    'session.evictMetadata': [],
    'refreshToken.revoke': ['reason'],
    'refreshToken.setExpiresAt': ['absolute'],
    'refreshToken.setIdleExpiresAt': ['inactivity'],
    'refreshToken.setMetadata': ['key', 'value'],
    'refreshToken.deleteMetadata': ['key'],
    'refreshToken.evictMetadata': [],
  },
  needs: {
    session: 'session',
    // Metadata may be said of one that is yet to be issued.
    'refreshToken.revoke': 'refresh_token',
    'refreshToken.setExpiresAt': 'refresh_token',
    'refreshToken.setIdleExpiresAt': 'refresh_token',
  },
  // There are no Rules here, so none was executed.
  answers: { 'redirect.canRedirect': false, 'rules.wasExecuted': false },
  unavailable: [
    ...group('authentication', 'setPrimaryUser'),
    ...group(
      'samlResponse',
      'setAttribute setAudience setRecipient setCreateUpnClaim setPassthroughClaimsWithNoMapping setMapUnknownClaimsAsIs ' +
        'setMapIdentities setSignatureAlgorithm setDigestAlgorithm setDestination setLifetimeInSeconds setSignResponse ' +
        'setNameIdentifierFormat setNameIdentifierProbes setAuthnContextClassRef setSigningCert ' +
        'setIncludeAttributeNameFormat setTypedAttributes setEncryptionCert setEncryptionPublicKey setCert setKey ' +
        'setRelayState setIssuer setEncryptionAlgorithm',
    ),
    ...group('prompt', 'render'),
    ...group('session', 'setCookieMode'),
    ...group('groups', 'getUserGroups hasGroupMembership'),
    ...group('roles', 'getUserEffectiveRoles getUserEffectiveRolesByIds getUserEffectiveRolesByNames'),
  ],
  seenAfter: transactionMetadata,
}

const runtimes = ['node22', 'node18'] as const

const credentialsExchange: Trigger = {
  id: 'credentials-exchange',
  versions: ['v2'],
  handler: 'onExecuteCredentialsExchange',
  runtimes,
  methods: {
    'access.deny': ['code', 'reason'],
    'accessToken.setCustomClaim': ['key', 'value'],
    'transaction.addTargetScope': ['scope'],
    'transaction.removeTargetScope': ['scope'],
    'transaction.setTargetScopes': ['scopes'],
    'transaction.clearTargetScopes': [],
  },
  answers: {},
  needs: {},
  unavailable: [],
  seenAfter: scopesAndClaims,
}

const preUserRegistration: Trigger = {
  id: 'pre-user-registration',
  versions: ['v2'],
  handler: 'onExecutePreUserRegistration',
  runtimes,
  methods: {
    'access.deny': ['reason', 'userMessage'],
    'validation.error': ['errorCode', 'errorMessage'],
    'user.setUserMetadata': ['key', 'value'],
    'user.setAppMetadata': ['key', 'value'],
  },
  answers: {},
  needs: {},
  unavailable: [],
}

/** One at which nothing can be changed any more. */
const afterwards = (id: TriggerId, handler: string): Trigger => ({
  id,
  versions: ['v2'],
  handler,
  runtimes,
  methods: {},
  answers: {},
  needs: {},
  unavailable: [],
})

/** Every trigger that this server can run, in the order in which they are listed to clients. */
export const triggers: readonly Trigger[] = [
  postLogin,
  credentialsExchange,
  preUserRegistration,
  afterwards('post-user-registration', 'onExecutePostUserRegistration'),
  afterwards('post-change-password', 'onExecutePostChangePassword'),
]

/** Finds a trigger by its id, or refuses. */
export function triggerOf(id: string): Trigger {
  const trigger = triggers.find((candidate) => candidate.id === id)
  if (trigger) return trigger
  const supported = triggers.map((candidate) => candidate.id).join(', ')
  throw actionProblems.unsupported_trigger({ facts: { trigger: id, supported } })
}
