import { actionProblems } from './problems.ts'

export type TriggerId = 'post-login'

export interface Trigger {
  readonly id: TriggerId
  /** The first one is current; what was written for an older one runs the same way. */
  readonly versions: readonly [string, ...string[]]
  /** The function that an action exports for this trigger. */
  readonly handler: string
  /** Labels of Auth0's runtimes, the default first. All of them run on the one engine that is here. */
  readonly runtimes: readonly [string, ...string[]]
  /** Methods of `api` that record a command, with the names of their arguments in it. All of them return `api`. */
  readonly methods: Readonly<Record<string, readonly string[]>>
  /** Methods with a fixed answer. */
  readonly answers: Readonly<Record<string, boolean>>
  /** Documented by Auth0, not honoured here: calling one throws, and the login fails closed. */
  readonly unavailable: readonly string[]
}

const group = (name: string, methods: string): string[] => methods.split(' ').map((method) => `${name}.${method}`)

const postLogin: Trigger = {
  id: 'post-login',
  versions: ['v3', 'v2'],
  handler: 'onExecutePostLogin',
  runtimes: ['node22', 'node18'],
  methods: {
    'access.deny': ['reason'],
    'idToken.setCustomClaim': ['key', 'value'],
    'accessToken.setCustomClaim': ['key', 'value'],
    'accessToken.addScope': ['scope'],
    'accessToken.removeScope': ['scope'],
    'user.setUserMetadata': ['key', 'value'],
    'user.setAppMetadata': ['key', 'value'],
  },
  answers: { 'redirect.canRedirect': false },
  unavailable: [
    ...group('authentication', 'challengeWith challengeWithAny enrollWith enrollWithAny recordMethod setPrimaryUser'),
    ...group('multifactor', 'enable'),
    ...group('redirect', 'encodeToken sendUserTo validateToken'),
    ...group('cache', 'delete get set'),
    ...group(
      'samlResponse',
      'setAttribute setAudience setRecipient setCreateUpnClaim setPassthroughClaimsWithNoMapping setMapUnknownClaimsAsIs ' +
        'setMapIdentities setSignatureAlgorithm setDigestAlgorithm setDestination setLifetimeInSeconds setSignResponse ' +
        'setNameIdentifierFormat setNameIdentifierProbes setAuthnContextClassRef setSigningCert ' +
        'setIncludeAttributeNameFormat setTypedAttributes setEncryptionCert setEncryptionPublicKey setCert setKey ' +
        'setRelayState setIssuer setEncryptionAlgorithm',
    ),
    ...group('validation', 'error'),
    ...group('rules', 'wasExecuted'),
    ...group('prompt', 'render'),
    ...group('refreshToken', 'revoke setExpiresAt setIdleExpiresAt setMetadata deleteMetadata evictMetadata'),
    ...group('session', 'revoke setExpiresAt setIdleExpiresAt setCookieMode setMetadata deleteMetadata evictMetadata'),
    ...group('transaction', 'setMetadata'),
    ...group('groups', 'getUserGroups hasGroupMembership'),
    ...group('roles', 'getUserEffectiveRoles getUserEffectiveRolesByIds getUserEffectiveRolesByNames'),
  ],
}

/** Every trigger that this server can run, in the order in which they are listed to clients. */
export const triggers: readonly Trigger[] = [postLogin]

/** Finds a trigger by its id, or refuses. */
export function triggerOf(id: string): Trigger {
  const trigger = triggers.find((candidate) => candidate.id === id)
  if (trigger) return trigger
  const supported = triggers.map((candidate) => candidate.id).join(', ')
  throw actionProblems.unsupported_trigger({ facts: { trigger: id, supported } })
}
