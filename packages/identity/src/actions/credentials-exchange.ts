import type { Command, JsonValue } from './commands.ts'

export interface CredentialsExchangeEffect {
  /** Present when an action denied the token: how, in the protocol's words, and why. */
  denied?: { code: 'invalid_scope' | 'invalid_request' | 'server_error'; reason: string }
  accessTokenClaims: Record<string, JsonValue>
  /** What the token is to hold now; more than the machine was granted is for the caller to leave out. */
  scopes: string[]
}

/** Folds the commands of a credentials-exchange chain into one effect. A later command wins, `null` leaves a claim out. */
export function applyCredentialsExchange(
  commands: readonly Command[],
  scopes: readonly string[],
): CredentialsExchangeEffect {
  const claims = new Map<string, JsonValue>()
  let targets = new Set(scopes)
  let denied: CredentialsExchangeEffect['denied']
  for (const command of commands) {
    switch (command.type) {
      case 'access.deny':
        if ('code' in command) denied ??= { code: command.code, reason: command.reason ?? 'Access denied.' }
        break
      case 'accessToken.setCustomClaim':
        claims.set(command.key, command.value ?? null)
        break
      case 'transaction.addTargetScope':
        targets.add(command.scope)
        break
      case 'transaction.removeTargetScope':
        targets.delete(command.scope)
        break
      case 'transaction.setTargetScopes':
        targets = new Set(command.scopes)
        break
      case 'transaction.clearTargetScopes':
        targets.clear()
        break
    }
  }
  return {
    ...(denied ? { denied } : {}),
    accessTokenClaims: Object.fromEntries([...claims].filter(([, value]) => value !== null)),
    scopes: [...targets],
  }
}

interface ExchangeEvent {
  accessToken: { customClaims: object }
  transaction: { target_scopes: string[] }
}

/** What a later action of the chain sees of what earlier ones asked for. */
export function seenAfter(event: Record<string, unknown>, commands: readonly Command[]): Record<string, unknown> {
  const { accessToken, transaction } = event as unknown as ExchangeEvent
  const { accessTokenClaims, scopes } = applyCredentialsExchange(commands, transaction.target_scopes)
  return {
    ...event,
    accessToken: { ...accessToken, customClaims: accessTokenClaims },
    transaction: { ...transaction, target_scopes: scopes },
  }
}
