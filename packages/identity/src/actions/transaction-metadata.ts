import type { Command, JsonValue } from './commands.ts'

interface PostLoginEvent {
  transaction?: { metadata?: Record<string, JsonValue> }
}

/** What a later action of the chain sees of what earlier ones left for it. */
export function seenAfter(event: Record<string, unknown>, commands: readonly Command[]): Record<string, unknown> {
  if (!commands.some(({ type }) => type === 'transaction.setMetadata')) return event
  const { transaction } = event as PostLoginEvent
  const metadata = new Map(Object.entries(transaction?.metadata ?? {}))
  for (const command of commands) {
    if (command.type === 'transaction.setMetadata') metadata.set(command.key, command.value ?? null)
  }
  const left = Object.fromEntries([...metadata].filter(([, value]) => value !== null))
  return { ...event, transaction: { ...transaction, metadata: left } }
}
