import type { Command, JsonValue } from './commands.ts'

export interface PreUserRegistrationEffect {
  /** Present when an action denied the sign-up: why, for the log, and what the person is told. */
  denied?: { reason: string | undefined; message: string }
  /** What to set, and with null what to leave out. */
  userMetadata: Record<string, JsonValue>
  appMetadata: Record<string, JsonValue>
}

/** Folds the commands of a pre-user-registration chain into one effect. A later command wins. */
export function applyPreUserRegistration(commands: readonly Command[]): PreUserRegistrationEffect {
  const effect: PreUserRegistrationEffect = { userMetadata: {}, appMetadata: {} }
  for (const command of commands) {
    switch (command.type) {
      case 'access.deny': {
        const message = ('userMessage' in command ? command.userMessage : undefined) ?? 'Access denied.'
        effect.denied ??= { reason: command.reason, message }
        break
      }
      case 'validation.error':
        effect.denied ??= { reason: command.errorCode, message: command.errorMessage ?? 'Access denied.' }
        break
      case 'user.setUserMetadata':
        effect.userMetadata[command.key] = command.value ?? null
        break
      case 'user.setAppMetadata':
        effect.appMetadata[command.key] = command.value ?? null
        break
    }
  }
  return effect
}
