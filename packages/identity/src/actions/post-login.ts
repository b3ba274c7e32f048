import type { Command, JsonValue } from './commands.ts'

type Properties = Record<string, JsonValue>

export interface PostLoginInitial {
  userMetadata: Properties
  appMetadata: Properties
}

export interface PostLoginEffect {
  /** The reason for the user; present when an action denied the login. */
  denied?: string
  idTokenClaims: Properties
  accessTokenClaims: Properties
  scopes: { add: string[]; remove: string[] }
  /** The whole metadata after the actions; absent when no action touched it, so that nothing needs to be written. */
  userMetadata?: Properties
  appMetadata?: Properties
}

/**
 * Folds the commands of a post-login chain into one effect, without changing its inputs.
 *
 * A later command wins. `null` or `undefined` removes a metadata property and leaves a claim out. A denial cancels claims and
 * scopes, but not metadata, as in Auth0: counting failed attempts in `app_metadata` is a use of it.
 */
export function applyPostLogin(commands: readonly Command[], initial: PostLoginInitial): PostLoginEffect {
  let denied: string | undefined
  const idToken = new Map<string, JsonValue>()
  const accessToken = new Map<string, JsonValue>()
  const scopes = new Map<string, 'add' | 'remove'>()
  const user = new Map<string, JsonValue>()
  const app = new Map<string, JsonValue>()
  for (const command of commands) {
    switch (command.type) {
      case 'access.deny':
        denied ??= command.reason ?? 'Access denied.'
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
    }
  }
  const chosen = (wanted: 'add' | 'remove') => [...scopes].filter(([, what]) => what === wanted).map(([scope]) => scope)
  const refused = denied !== undefined
  return {
    ...(denied === undefined ? {} : { denied }),
    idTokenClaims: refused ? {} : present(idToken),
    accessTokenClaims: refused ? {} : present(accessToken),
    scopes: refused ? { add: [], remove: [] } : { add: chosen('add'), remove: chosen('remove') },
    ...(user.size ? { userMetadata: merged(initial.userMetadata, user) } : {}),
    ...(app.size ? { appMetadata: merged(initial.appMetadata, app) } : {}),
  }
}

const present = (changes: Map<string, JsonValue>): Properties =>
  Object.fromEntries([...changes].filter(([, value]) => value !== null))

const merged = (before: Properties, changes: Map<string, JsonValue>): Properties =>
  present(new Map([...Object.entries(before), ...changes]))
