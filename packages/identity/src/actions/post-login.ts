import type { Command, JsonValue } from './commands.ts'

type Properties = Record<string, JsonValue>

/** A second factor that is asked for, by the types of factors that Auth0 has, in the order of the calls. */
export type FactorWish = { kind: 'mfa'; mayRemember: boolean } | { kind: 'challenge' | 'enroll'; types: string[] }

export interface PostLoginEffect {
  /** The reason for the user; present when an action denied the login. */
  denied?: string
  idTokenClaims: Properties
  accessTokenClaims: Properties
  scopes: { add: string[]; remove: string[] }
  factors: FactorWish[]
  /** Ways of proving oneself that an Action vouches for, by address. */
  methods: string[]
  /**
   * What to set, and with null what to remove; absent when no action touched it. Never the whole: what somebody else wrote
   * while the actions ran must stay.
   */
  userMetadata?: Properties
  appMetadata?: Properties
}

/**
 * Folds the commands of a post-login chain into one effect.
 *
 * A later command wins. `null` or `undefined` removes a metadata property and leaves a claim out. A denial cancels claims and
 * scopes, but not metadata, as in Auth0: counting failed attempts in `app_metadata` is a use of it.
 */
export function applyPostLogin(commands: readonly Command[]): PostLoginEffect {
  let denied: string | undefined
  const idToken = new Map<string, JsonValue>()
  const accessToken = new Map<string, JsonValue>()
  const scopes = new Map<string, 'add' | 'remove'>()
  const user = new Map<string, JsonValue>()
  const app = new Map<string, JsonValue>()
  let factors: FactorWish[] = []
  const methods = new Set<string>()
  for (const command of commands) {
    switch (command.type) {
      case 'access.deny':
        denied ??= command.reason ?? 'Access denied.'
        break
      case 'validation.error':
        denied ??= command.errorMessage ?? 'Access denied.'
        break
      case 'idToken.setCustomClaim':
        idToken.set(command.key, command.value ?? null)
        break
      case 'accessToken.setCustomClaim':
        accessToken.set(command.key, command.value ?? null)
        break
      case 'accessToken.addScope':
        scopes.set(command.scope, 'add')
        break
      case 'accessToken.removeScope':
        scopes.set(command.scope, 'remove')
        break
      case 'user.setUserMetadata':
        user.set(command.key, command.value ?? null)
        break
      case 'user.setAppMetadata':
        app.set(command.key, command.value ?? null)
        break
      case 'multifactor.enable':
        factors = factors.filter(({ kind }) => kind !== 'mfa')
        if (command.provider !== 'none')
          factors.push({ kind: 'mfa', mayRemember: command.options?.allowRememberBrowser === true })
        break
      case 'authentication.challengeWith':
      case 'authentication.enrollWith': {
        const types = [command.factor, ...(command.options?.additionalFactors ?? [])].map(({ type }) => type)
        factors.push({ kind: command.type === 'authentication.enrollWith' ? 'enroll' : 'challenge', types })
        break
      }
      case 'authentication.challengeWithAny':
      case 'authentication.enrollWithAny': {
        const types = command.factors.map(({ type }) => type)
        factors.push({ kind: command.type === 'authentication.enrollWithAny' ? 'enroll' : 'challenge', types })
        break
      }
      case 'authentication.recordMethod':
        methods.add(command.provider_url)
        break
    }
  }
  const chosen = (wanted: 'add' | 'remove') => [...scopes].filter(([, what]) => what === wanted).map(([scope]) => scope)
  const refused = denied !== undefined
  return {
    ...(denied === undefined ? {} : { denied }),
    idTokenClaims: refused ? {} : present(idToken),
    accessTokenClaims: refused ? {} : present(accessToken),
    scopes: refused ? { add: [], remove: [] } : { add: chosen('add'), remove: chosen('remove') },
    factors: refused ? [] : factors,
    methods: refused ? [] : [...methods],
    ...(user.size ? { userMetadata: Object.fromEntries(user) } : {}),
    ...(app.size ? { appMetadata: Object.fromEntries(app) } : {}),
  }
}

const present = (changes: Map<string, JsonValue>): Properties =>
  Object.fromEntries([...changes].filter(([, value]) => value !== null))
