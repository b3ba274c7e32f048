/** Redis or Valkey through whichever client the application has: `redis` (node-redis) or `ioredis`. */
import { withoutIdentity } from '../identity/context.ts'

/** The part of node-redis 5 or 6 that is used. */
export interface NodeRedis {
  sendCommand(parts: string[]): Promise<unknown>
}
/** The part of ioredis 5 or 6 that is used. */
export interface IoRedis {
  call(command: string, ...parts: string[]): Promise<unknown>
}
export type RedisClient = NodeRedis | IoRedis

/** Sends one command and returns its answer as the server gave it. */
export type Command = (...parts: [string, ...string[]]) => Promise<unknown>

/** @throws Error for something that is neither client */
export function commandsOf(client: RedisClient): Command {
  // ioredis has a sendCommand too, of another shape.
  if ('call' in client) return (...parts) => client.call(...parts)
  if ('sendCommand' in client) return (...parts) => client.sendCommand(parts)
  throw new Error('This is no client of the packages redis or ioredis: it has neither sendCommand nor call.')
}

/** The part of node-redis that subscribes. */
export interface NodeRedisSubscriber {
  subscribe(channel: string, hear: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string, hear?: (message: string, channel: string) => void): Promise<unknown>
  isReady: boolean
}
/** The part of ioredis that subscribes. */
export interface IoRedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message', hear: (channel: string, message: string) => void): unknown
  off(event: 'message', hear: (channel: string, message: string) => void): unknown
  status: string
}
export type RedisSubscriber = NodeRedisSubscriber | IoRedisSubscriber

// Of ioredis: a channel is left when its last listener is gone.
const listeners = new WeakMap<IoRedisSubscriber, Map<string, number>>()

/** Hears one channel. @returns ends it */
export async function subscribe(
  client: RedisSubscriber,
  channel: string,
  hear: (message: string) => void,
): Promise<() => Promise<void>> {
  // Whoever's request opened the connection, what arrives on it is nobody's.
  if ('isReady' in client) {
    const listener = (message: string) => withoutIdentity(() => hear(message))
    await client.subscribe(channel, listener)
    return async () => {
      await client.unsubscribe(channel, listener)
    }
  }
  const counts = listeners.get(client) ?? new Map<string, number>()
  listeners.set(client, counts)
  const listener = (from: string, message: string) => {
    if (from === channel) withoutIdentity(() => hear(message))
  }
  client.on('message', listener)
  counts.set(channel, (counts.get(channel) ?? 0) + 1)
  await client.subscribe(channel)
  return async () => {
    client.off('message', listener)
    const left = (counts.get(channel) ?? 1) - 1
    counts.set(channel, left)
    if (left === 0) {
      counts.delete(channel)
      await client.unsubscribe(channel)
    }
  }
}
