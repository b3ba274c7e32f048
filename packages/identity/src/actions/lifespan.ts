import type { Command } from './commands.ts'

/** What Actions ask of the session or the refresh token in which they run. */
export interface LifespanChanges {
  /** It ends, and the sign-in or refresh is refused with the reason. */
  revoked?: { reason: string; keepTokens: boolean }
  expiresAt?: Date
  idleExpiresAt?: Date
  metadata?: TextChanges
}

/** Texts to set, and with null to remove, after all that were there are gone, if that was asked for. */
export interface TextChanges {
  evicts: boolean
  set: Record<string, string | null>
}

/** Folds the commands about one of them: the earliest end, and of what else is set the last. @returns undefined when there are none */
export function lifespanChanges(
  commands: readonly Command[],
  of: 'session' | 'refreshToken',
): LifespanChanges | undefined {
  const changes: LifespanChanges = {}
  const metadata = () => (changes.metadata ??= { evicts: false, set: {} })
  for (const command of commands) {
    if (!command.type.startsWith(`${of}.`)) continue
    switch (command.type) {
      case 'session.revoke':
      case 'refreshToken.revoke':
        changes.revoked ??= {
          reason: command.reason ?? 'Access denied.',
          keepTokens: 'options' in command && command.options?.preserveRefreshTokens === true,
        }
        break
      case 'session.setExpiresAt':
      case 'refreshToken.setExpiresAt':
        changes.expiresAt = earlier(changes.expiresAt, command.absolute)
        break
      case 'session.setIdleExpiresAt':
      case 'refreshToken.setIdleExpiresAt':
        changes.idleExpiresAt = earlier(changes.idleExpiresAt, command.inactivity)
        break
      case 'session.setMetadata':
      case 'refreshToken.setMetadata':
        metadata().set[command.key] = command.value as string | null
        break
      case 'session.deleteMetadata':
      case 'refreshToken.deleteMetadata':
        metadata().set[command.key] = null
        break
      case 'session.evictMetadata':
      case 'refreshToken.evictMetadata':
        changes.metadata = { evicts: true, set: {} }
        break
    }
  }
  return Object.keys(changes).length > 0 ? changes : undefined
}

const earlier = (known: Date | undefined, at: number): Date => (known && known.getTime() <= at ? known : new Date(at))
